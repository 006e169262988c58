from __future__ import annotations

import json
from typing import get_args, get_type_hints

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pytest
import torch
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from coresift.parameters import Device, Seed, Threads, TuningShare
from coresift.pipelines.selection import create_pipeline, nodes
from coresift.pipelines.selection.params import SelectionOptions, SelectionParameters
from coresift.selection import SELECTORS
from coresift.storage import SCHEMAS

N_TRAIN, N_VALID = 60, 20


def table(name: str, columns: dict[str, list]) -> pa.Table:
    fields = [field for field in SCHEMAS[name] if field.name in columns]
    return pa.Table.from_arrays(
        [pa.array(columns[field.name], field.type) for field in fields], schema=pa.schema(fields)
    )


@pytest.fixture
def datasets() -> dict[str, object]:
    """Samples 0..99 of which 80 are train or valid; sample 5 has no prompt; tensors come in another order."""
    generator = np.random.default_rng(0)
    ids = np.arange(100)
    splits = np.where(ids < N_TRAIN, 0, np.where(ids < N_TRAIN + N_VALID, 1, 2))
    prompted = ids[ids != 5]
    shuffled = generator.permutation(N_TRAIN + N_VALID)
    train = generator.permutation(N_TRAIN)
    return {
        "samples": table(
            "samples",
            {
                "sample_id": ids,
                "user_id": ids,
                "history": [range(i % 7) for i in ids],
                "targets": [[i % 9] for i in ids],
                "label": ids * 0 + 1,
                "split": splits,
            },
        ),
        "prompts": table(
            "prompts",
            {
                "sample_id": prompted,
                "prompt": [f"prompt {i}" for i in prompted],
                "response": [f"response {i}" for i in prompted],
                "split": splits[prompted],
            },
        ),
        "sample_scores": table(
            "sample_scores",
            {"sample_id": ids[:N_TRAIN]}
            | {name: generator.random(N_TRAIN) for name in ("loss", "el2n", "grand", "forgetting", "loss_drop")},
        ),
        "sample_embeddings": {
            "sample_id": torch.as_tensor(shuffled),
            "embedding": torch.as_tensor(generator.normal(size=(80, 8)), dtype=torch.float32),
            "split": torch.as_tensor(splits[shuffled]),
        },
        "gradient_norms": {"sample_id": torch.as_tensor(train), "gradient_norm": torch.rand(N_TRAIN)},
        "gradient_features": {"sample_id": torch.empty(0, dtype=torch.int64), "feature": torch.empty(0, 1)},
        "influence_scores": {"sample_id": torch.as_tensor(train), "influence": torch.as_tensor(train).float()},
        "surrogate_states": {"sample_id": torch.arange(100), "state": torch.rand(100, 4)},
    }


def run(datasets: dict[str, object], **selection: object) -> dict[str, object]:
    parameters = {
        "params:selection": SelectionParameters(**selection),
        "params:device": Device("cpu"),
        "params:threads": Threads(1),
        "params:seed": Seed(0),
        "params:tuning_share": TuningShare(0.0),
    }
    catalog = DataCatalog({name: MemoryDataset(data) for name, data in (datasets | parameters).items()})
    outputs = SequentialRunner().run(create_pipeline(), catalog)
    return {name: dataset.load() for name, dataset in outputs.items()}


def select(datasets: dict[str, object], *, tuning_share: float = 0.0, **selection: object) -> tuple:
    tables = {name: data for name, data in datasets.items() if not isinstance(data, dict)}
    features = {name: data for name, data in datasets.items() if isinstance(data, dict)}
    shared = {"device": Device("cpu"), "threads": Threads(1), "seed": Seed(0)}
    shared["tuning_share"] = TuningShare(tuning_share)
    return nodes.select_coreset(**tables, **features, **shared, parameters=SelectionParameters(**selection))


@pytest.mark.parametrize("method", list(SELECTORS))
def test_every_method_returns_its_budget_of_prompted_training_samples(datasets, method):
    datasets["gradient_features"] = {"sample_id": torch.arange(80), "feature": torch.rand(80, 3) - 0.5}
    coreset, report, descent, coverage = select(datasets, method=method, budget=12)
    assert coreset.schema == SCHEMAS["coreset"]
    ids = coreset["sample_id"].to_numpy()
    assert len(set(ids)) == 12
    assert ids.max() < N_TRAIN
    assert 5 not in ids
    assert sorted(coreset["rank"].to_pylist()) == list(range(12))
    assert coreset["weight"].to_numpy().mean() == pytest.approx(1.0)
    assert report["method"] == method
    assert json.dumps(report)
    assert descent.axes
    assert coverage.axes


def test_all_takes_every_prompted_training_sample_with_weight_one(datasets):
    coreset = select(datasets, method="all")[0]
    assert coreset["sample_id"].to_pylist() == [i for i in range(N_TRAIN) if i != 5]
    assert set(coreset["weight"].to_pylist()) == {1.0}


def test_the_choice_does_not_depend_on_the_order_of_the_feature_rows(datasets):
    before = select(datasets, budget=9)[0]
    for data in datasets.values():
        if isinstance(data, dict):
            data.update({name: values.flip(0) for name, values in data.items()})
    assert select(datasets, budget=9)[0] == before


def test_pipeline_runs_from_a_catalog(datasets):
    outputs = run(datasets, budget=7)
    assert len(outputs["coreset_export"]) == 7
    assert outputs["selection_report"]["objective"] >= outputs["selection_report"]["lower_bound"]


def test_a_budget_above_the_pool_says_what_to_lower(datasets):
    with pytest.raises(ValueError, match=r"budget 5000 > 59 candidates: lower selection\.budget"):
        select(datasets, budget=5000)


def test_a_missing_feature_names_the_pipeline_that_makes_it(datasets):
    datasets["influence_scores"] = {"sample_id": torch.empty(0), "influence": torch.empty(0)}
    with pytest.raises(ValueError, match="no influence: run the attribution pipeline"):
        select(datasets, method="dealrec", budget=5)


def test_gradient_features_are_a_representation_where_they_were_made(datasets):
    gradient_space = {"goracs": {"representation": "gradient_feature"}}
    remedy = r"run the attribution pipeline, which makes it where attribution\.gradient_features\.enabled is true"
    with pytest.raises(ValueError, match=f"no gradient_feature: {remedy}"):
        select(datasets, budget=5, options=gradient_space)
    datasets["gradient_features"] = {"sample_id": torch.arange(80), "feature": torch.rand(80, 3)}
    assert select(datasets, budget=5, options=gradient_space)[0].num_rows == 5


def test_a_tuning_share_keeps_validation_samples_from_selection(datasets):
    reports = [select(datasets, budget=5, tuning_share=share)[1] for share in (0.0, 0.5)]
    assert reports[0]["validation_samples"] == N_VALID
    assert 0 < reports[1]["validation_samples"] < N_VALID


def test_the_budget_can_be_shared_among_clusters_of_states(datasets):
    report = select(datasets, method="random", budget=9, state_clusters=3)[1]
    assert sum(report["state_budgets"]) == 9
    assert min(report["state_budgets"]) >= 1


def test_features_that_lack_a_sample_are_refused(datasets):
    norms = datasets["gradient_norms"]
    datasets["gradient_norms"] = {name: values[norms["sample_id"] != 7] for name, values in norms.items()}
    with pytest.raises(ValueError, match="gradient_norms lacks 1 of 59 samples, the first is sample_id 7"):
        select(datasets, budget=5)


def test_no_validation_samples_is_refused(datasets):
    samples = datasets["samples"]
    datasets["samples"] = samples.filter(pa.compute.not_equal(samples["split"], 1))
    with pytest.raises(ValueError, match="no validation sample"):
        select(datasets, budget=5)


def test_every_selector_has_options_and_can_be_chosen():
    methods = get_args(SelectionParameters.model_fields["method"].annotation)
    assert set(methods) == {"all", *SELECTORS}
    assert set(SelectionOptions.model_fields) == set(SELECTORS)


def test_annotations_resolve_and_names_keep_their_prefixless_form():
    for function in (nodes.select_coreset, nodes.export_coreset):
        assert get_type_hints(function)["parameters"] is SelectionParameters
    assert {"params:selection", "params:seed", "samples", "prompts"} <= create_pipeline().inputs()
