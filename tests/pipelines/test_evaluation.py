from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.compute as pc
import torch
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from recommender_cases import items_table, prompts_table, small_base_model

from coresift.datasets.validators import MetricsContract
from coresift.parameters import Device, Dtype, RecommenderParameters, Seed, Threads
from coresift.pipelines.evaluation import create_pipeline
from coresift.pipelines.evaluation.params import EvaluationParameters
from coresift.recommenders import AdapterOptions, build_recommender
from coresift.storage import SCHEMAS, empty_table

WITH_PRIORS = [
    *("tuned", "tuned+prior", "tuned+prior+surrogate", "untuned", "untuned+prior", "untuned+prior+surrogate"),
    *("surrogate", "surrogate+prior", "most_popular", "popular_recently", "item_knn"),
]


def fresh_adapter(base_model, items, folder):
    options = AdapterOptions(r=2)
    recommender = build_recommender("dense", base_model=base_model, items=items, adapter=options, device="cpu")
    folder.mkdir()
    recommender.save(folder)
    return folder


def users_of_two_splits():
    """Twenty test users and twenty validation users, each with a prompt."""
    watched = prompts_table(20, seed=1, split=1).set_column(0, "sample_id", pa.array(range(20, 40), pa.int32()))
    return pa.concat_tables([prompts_table(20, split=2), watched]).combine_chunks()


def world(tmp_path):
    prompts, items = users_of_two_splits(), items_table()
    targets = pa.array([[item] for item in prompts["target_id"].to_pylist()], pa.list_(pa.int32()))
    histories = prompts["history"].to_pylist()
    pairs = [
        (user, item, split) for user, row in enumerate(histories) for item, split in zip(row, (0, 0, 1), strict=True)
    ]
    users, bought, splits = zip(*pairs, strict=True)
    log = pa.schema({"user_id": pa.int32(), "item_id": pa.int32(), "split": pa.int8()})
    base_model = small_base_model(tmp_path / "base", "bert")
    samples = prompts.select(["sample_id", "history", "split"]).append_column("targets", targets)
    return {
        "adapter": fresh_adapter(base_model, items, tmp_path / "adapter"),
        "semantic_ids": empty_table("semantic_ids"),
        "base_model": base_model,
        "prompts": prompts.drop_columns("history"),
        "items": items,
        "samples": samples.append_column("user_id", pa.array(range(40), pa.int32())),
        "interactions": pa.table({"user_id": users, "item_id": bought, "split": splits}, log),
        "surrogate_weights": tmp_path / "surrogate",
        "surrogate_states": {"sample_id": torch.arange(40), "state": torch.eye(40, 8)},
        "item_vectors": {"item_id": torch.arange(items.num_rows), "vector": torch.eye(items.num_rows, 8)},
        "params:evaluation": EvaluationParameters(n_resamples=100, prior_surrogate=True),
        "params:recommender": RecommenderParameters(),
        "params:device": Device("cpu"),
        "params:dtype": Dtype("auto"),
        "params:threads": Threads(1),
        "params:seed": Seed(0),
    }


def run(pipeline, data):
    catalog = DataCatalog({name: MemoryDataset(value, copy_mode="assign") for name, value in data.items()})
    return {name: output.load() for name, output in SequentialRunner().run(pipeline, catalog).items()}


def test_an_adapter_becomes_metrics_and_a_report(tmp_path):
    data, pipeline = world(tmp_path), create_pipeline()
    assert pipeline.inputs() == set(data)
    outputs = run(pipeline, data)
    metrics = MetricsContract().validate(json.loads(json.dumps(outputs["metrics"], allow_nan=False)))
    assert metrics["users"] == 20
    assert [row["method"] for row in metrics["rows"] if row["masked"]] == WITH_PRIORS
    assert [entry["method"] for entry in metrics["priors"]] == [name for name in WITH_PRIORS if "+" in name]
    assert all(entry["validation_users"] == 20 for entry in metrics["priors"])
    assert outputs["rankings"].schema == SCHEMAS["rankings"]
    assert outputs["predictions"].num_rows == 0
    seen = {(row["sample_id"], item) for row in data["samples"].to_pylist() for item in row["history"]}
    listed = {(row["sample_id"], item) for row in outputs["rankings"].to_pylist() for item in row["items"]}
    assert not seen & listed
    assert outputs["user_metrics"].num_rows == 2 * len(WITH_PRIORS) * 20
    assert "20 test users" in outputs["evaluation_report"]
    assert len(outputs["metrics_plot"].axes) == 2


def test_all_methods_share_one_schema_and_a_fresh_adapter_ranks_like_the_untuned_model(tmp_path):
    ranking_nodes = [f"evaluation.{name}" for name in ("rank_with_language_model", "rank_with_baselines")]
    outputs = run(create_pipeline().filter(node_names=ranking_nodes), world(tmp_path))
    rankings = outputs["recommender_rankings"]
    assert rankings.schema == outputs["baseline_rankings"].schema == SCHEMAS["method_rankings"]
    tuned, untuned = (rankings.filter(pc.equal(rankings["method"], name)) for name in ("tuned", "untuned"))
    assert tuned["items"].equals(untuned["items"])


def test_without_validation_users_for_it_there_are_no_rows_with_a_prior(tmp_path):
    data = world(tmp_path) | {"params:evaluation": EvaluationParameters(n_resamples=100, prior_users=0)}
    outputs = run(create_pipeline(), data)
    assert [row["method"] for row in outputs["metrics"]["rows"] if row["masked"]] == [
        name for name in WITH_PRIORS if "+" not in name
    ]
    assert outputs["metrics"]["priors"] == []


def test_all_methods_are_measured_on_the_test_samples_that_were_drawn(tmp_path):
    few = EvaluationParameters(n_resamples=100, test_samples=5)
    outputs = run(create_pipeline(), world(tmp_path) | {"params:evaluation": few})
    assert outputs["metrics"]["users"] == 5
    by_method = outputs["user_metrics"].group_by("method").aggregate([("sample_id", "distinct")]).to_pylist()
    assert {frozenset(row["sample_id_distinct"]) for row in by_method} == {
        frozenset(outputs["rankings"]["sample_id"].to_pylist())
    }
