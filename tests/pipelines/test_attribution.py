from __future__ import annotations

import os

import numpy as np
import pyarrow as pa
import pytest
import torch
from click_world import N_ITEMS, click_samples, profiles
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from recommender_cases import TITLES, items_table, prompts_table, small_base_model
from safetensors.torch import load_file, save_file

from coresift.foundation import build_base_model
from coresift.parameters import (
    AdapterParameters,
    DataDirectory,
    Device,
    Dtype,
    RecommenderParameters,
    Seed,
    Threads,
    TuningShare,
)
from coresift.pipelines.attribution import create_pipeline
from coresift.pipelines.attribution.params import AttributionParameters
from coresift.selection import is_for_tuning
from coresift.storage import empty_table
from coresift.surrogate import SasRec, SasRecConfig, save_surrogate, train_click_surrogate


def corpus_of(prompts):
    return pa.table(
        {
            "sample_id": prompts["sample_id"],
            "history": prompts["history"],
            "targets": pa.array([[target] for target in prompts["target_id"].to_pylist()], pa.list_(pa.int32())),
            "split": prompts["split"],
        }
    )


@pytest.fixture
def catalog(tmp_path):
    prompts = prompts_table(30)
    prompts = prompts.set_column(7, "split", pa.array([0] * 20 + [1] * 6 + [2] * 4, pa.int8()))
    surrogate = SasRec(SasRecConfig(n_items=len(TITLES), dimension=8, n_blocks=2, n_heads=2, max_length=6))
    surrogate.initialize(torch.Generator().manual_seed(0))
    data = {
        "prompts": prompts.drop_columns("history"),
        "samples": corpus_of(prompts),
        "users": pa.table({"user_id": pa.array(range(30), pa.int32()), "raw_id": [str(user) for user in range(30)]}),
        "items": items_table(),
        "semantic_ids": empty_table("semantic_ids"),
        "base_model": small_base_model(tmp_path / "base"),
        "surrogate_weights": save_surrogate(surrogate, tmp_path / "surrogate"),
        "params:attribution": AttributionParameters(embedding={"dimensions": 8}),
        "params:recommender": RecommenderParameters(),
        "params:adapter": AdapterParameters(r=2),
        "params:device": Device("cpu"),
        "params:dtype": Dtype("auto"),
        "params:threads": Threads(1),
        "params:seed": Seed(0),
        "params:data_dir": DataDirectory(str(tmp_path / "data")),
        "params:tuning_share": TuningShare(0.0),
    }
    return DataCatalog({name: MemoryDataset(value, copy_mode="assign") for name, value in data.items()})


def outputs_of(catalog):
    pipeline = create_pipeline()
    assert pipeline.inputs() <= set(catalog.keys())
    return {name: output.load() for name, output in SequentialRunner().run(pipeline, catalog).items()}


def test_every_training_sample_is_scored_once(catalog):
    outputs = outputs_of(catalog)
    assert set(outputs) == {"sample_embeddings", "gradient_norms", "gradient_features", "influence_scores"}
    for name, tensor in (("gradient_norms", "gradient_norm"), ("influence_scores", "influence")):
        assert outputs[name]["sample_id"].tolist() == list(range(20))
        assert outputs[name][tensor].dtype is torch.float32
        assert outputs[name][tensor].isfinite().all()
        assert outputs[name][tensor].unique().numel() > 10
    assert (outputs["gradient_norms"]["gradient_norm"] > 0).all()
    assert outputs["gradient_features"]["feature"].shape == (0, 0)
    embeddings = outputs["sample_embeddings"]
    assert embeddings["sample_id"].tolist() == list(range(26))
    assert embeddings["split"].tolist() == [0] * 20 + [1] * 6
    assert embeddings["embedding"].dtype is torch.float32


def test_equal_runs_give_equal_bits_and_a_rerun_reads_its_shards(catalog, monkeypatch):
    first = outputs_of(catalog)
    monkeypatch.setattr("coresift.attribution.gradient_pass._GradientMeter.measure", None)
    again = outputs_of(catalog)
    for name, tensors in first.items():
        for key, tensor in tensors.items():
            np.testing.assert_array_equal(tensor.numpy(), again[name][key].numpy())


def test_a_base_model_whose_weights_changed_in_place_is_measured_anew(catalog, tmp_path):
    weights = tmp_path / "base" / "model.safetensors"
    past = weights.stat().st_mtime_ns - 10**10
    os.utime(weights, ns=(past, past))
    made = build_base_model(None, tmp_path / "made", model=str(tmp_path / "base"), random_state=0)
    catalog["base_model"] = MemoryDataset(made, copy_mode="assign")
    before = outputs_of(catalog)["gradient_norms"]["gradient_norm"]
    size = weights.stat().st_size
    save_file({name: tensor * 1.5 for name, tensor in load_file(weights).items()}, weights, {"format": "pt"})
    os.utime(weights, ns=(past, past))
    assert weights.stat().st_size == size
    after = outputs_of(catalog)["gradient_norms"]["gradient_norm"]
    assert not torch.equal(after, before)
    catalog["params:data_dir"] = MemoryDataset(DataDirectory(str(tmp_path / "fresh")), copy_mode="assign")
    assert torch.equal(outputs_of(catalog)["gradient_norms"]["gradient_norm"], after)


def test_gradient_features_come_with_the_norms_when_asked_for(catalog):
    plain = outputs_of(catalog)
    wanted = AttributionParameters(embedding={"dimensions": 8}, gradient_features={"enabled": True, "dimensions": 12})
    catalog["params:attribution"] = MemoryDataset(wanted, copy_mode="assign")
    outputs = outputs_of(catalog)
    features = outputs["gradient_features"]
    assert features["sample_id"].tolist() == list(range(26))
    assert features["feature"].shape == (26, 12)
    torch.testing.assert_close(features["feature"].norm(dim=1), torch.ones(26))
    torch.testing.assert_close(
        outputs["gradient_norms"]["gradient_norm"], plain["gradient_norms"]["gradient_norm"], rtol=1e-5, atol=0
    )


def test_the_tuning_part_of_validation_has_no_influence(catalog):
    samples = catalog["samples"].load()
    dropped = (samples["split"].to_numpy() == 1) & is_for_tuning(samples["sample_id"], 0.5)
    assert 0 < dropped.sum() < 6
    catalog["params:tuning_share"] = MemoryDataset(TuningShare(0.5), copy_mode="assign")
    found = outputs_of(catalog)["influence_scores"]["influence"]
    catalog["params:tuning_share"] = MemoryDataset(TuningShare(0.0), copy_mode="assign")
    assert not torch.equal(outputs_of(catalog)["influence_scores"]["influence"], found)
    for name in ("samples", "prompts"):
        catalog[name] = MemoryDataset(catalog[name].load().filter(pa.array(~dropped)), copy_mode="assign")
    torch.testing.assert_close(outputs_of(catalog)["influence_scores"]["influence"], found, rtol=0, atol=0)


def test_dora_is_measured_as_the_lora_it_starts_as(catalog):
    plain = outputs_of(catalog)["gradient_norms"]["gradient_norm"]
    catalog["params:adapter"] = MemoryDataset(AdapterParameters(r=2, use_dora=True), copy_mode="assign")
    assert torch.equal(outputs_of(catalog)["gradient_norms"]["gradient_norm"], plain)


def test_norms_that_nobody_reads_need_not_be_measured(catalog):
    off = AttributionParameters(embedding={"dimensions": 8}, gradient_norms={"enabled": False})
    catalog["params:attribution"] = MemoryDataset(off, copy_mode="assign")
    made = outputs_of(catalog)
    assert len(made["gradient_norms"]["gradient_norm"]) == 0
    assert len(made["influence_scores"]["influence"]) == 20


def test_features_without_norms_are_refused():
    with pytest.raises(ValueError, match=r"set gradient_norms\.enabled to true"):
        AttributionParameters(gradient_norms={"enabled": False}, gradient_features={"enabled": True})


def test_impressions_have_an_influence_on_the_labels_of_validation(catalog, tmp_path):
    samples, users = click_samples(90), profiles()
    model = train_click_surrogate(samples, users, N_ITEMS, epochs=1).model
    given = {"samples": samples, "users": users, "surrogate_weights": save_surrogate(model, tmp_path / "din")}
    for name, value in given.items():
        catalog[name] = MemoryDataset(value, copy_mode="assign")
    influence = create_pipeline().filter(node_names=["attribution.compute_influence"])
    (output,) = SequentialRunner().run(influence, catalog).values()
    found = output.load()
    train = samples.filter(pa.array(np.asarray(samples["split"]) == 0))
    assert found["sample_id"].tolist() == train["sample_id"].to_pylist()
    assert found["influence"].isfinite().all() and found["influence"].unique().numel() > 10
