from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest
import torch
import yaml
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from pydantic import ValidationError

from coresift.corpus import Source, embedded_corpus, ingest
from coresift.datasets.validators import TensorContract
from coresift.parameters import DataDirectory, Device, Seed, Threads
from coresift.pipelines.surrogate import create_pipeline
from coresift.pipelines.surrogate.params import SurrogateParameters
from coresift.storage import SCHEMAS
from coresift.surrogate import (
    Din,
    SasRec,
    load_surrogate,
    surrogate_fingerprint,
    surrogate_states,
)

CONF = Path(__file__).parents[2] / "conf"


def test_the_test_environment_only_shrinks():
    override = yaml.safe_load((CONF / "test/parameters/surrogate.yml").read_text())["surrogate"]
    of_din = override.pop("din")
    small, usual = SurrogateParameters(**override, din=of_din), SurrogateParameters()
    assert all(getattr(small, name) <= getattr(usual, name) for name in override)
    assert all(getattr(small.din, name) <= getattr(usual.din, name) for name in of_din)


def test_wrong_parameters_are_refused():
    with pytest.raises(ValidationError, match="dropout"):
        SurrogateParameters(dropout=1.0)
    with pytest.raises(ValidationError, match="layers"):
        SurrogateParameters(layers=2)


def run(tmp_path, parameters, **options):
    """Ingest the embedded shop, run the pipeline, and return the corpus, the model and the outputs."""
    raw = embedded_corpus(n_users=160, n_items=80)
    tables = (Source(name, table=getattr(raw, name)) for name in ("interactions", "items", "users"))
    clean = ingest(*tables, **options)
    data = {
        "interactions": clean.interactions,
        "samples": clean.samples,
        "items": clean.items,
        "users": clean.users,
        "item_text_vectors": {"item_id": torch.arange(80), "vector": torch.rand(80, 24)},
        "params:surrogate": parameters,
        "params:device": Device("cpu"),
        "params:threads": Threads(1),
        "params:seed": Seed(3),
        "params:data_dir": DataDirectory(str(tmp_path)),
    }
    pipeline = create_pipeline()
    assert pipeline.inputs() == set(data)
    catalog = DataCatalog({name: MemoryDataset(value, copy_mode="assign") for name, value in data.items()})
    outputs = {name: output.load() for name, output in SequentialRunner().run(pipeline, catalog).items()}
    (weights,) = (folder for folder in (tmp_path / ".work").iterdir() if folder.is_dir() and "folds" not in folder.name)
    return clean, load_surrogate(weights), outputs


def test_samples_in_and_contracts_out(tmp_path):
    clean, model, outputs = run(tmp_path, SurrogateParameters(dimension=16, epochs=2))
    states, vectors = outputs["surrogate_states"], outputs["item_vectors"]
    assert isinstance(model, SasRec)
    assert outputs["sample_scores"].schema == SCHEMAS["sample_scores"]
    assert states["sample_id"].tolist() == clean.samples["sample_id"].to_pylist()
    assert states.metadata == vectors.metadata == {"surrogate": surrogate_fingerprint(model)}
    assert torch.equal(vectors["vector"], model.item_vectors.detach())
    assert len(outputs["surrogate_metrics"]["epochs"]) == 2


@pytest.mark.parametrize("folds", [0, 2])
def test_clicks_in_and_the_same_contracts_out_of_din(tmp_path, folds):
    din = {"hidden": 12, "dimension": 6, "epochs": 2, "patience": 2}
    parameters = SurrogateParameters(din=din, out_of_fold={"folds": folds, "max_residual": 10.0})
    clean, model, outputs = run(tmp_path, parameters, samples="click")
    states, vectors = outputs["surrogate_states"], outputs["item_vectors"]
    assert isinstance(model, Din) and outputs["surrogate_metrics"]["model"] == "din"
    validator = TensorContract("surrogate_states")
    assert validator.validate(states)["state"].shape == (clean.samples.num_rows, 12)
    assert states["sample_id"].tolist() == clean.samples["sample_id"].to_pylist()
    assert states.metadata["surrogate"] == vectors.metadata["surrogate"] == surrogate_fingerprint(model)
    own = surrogate_states(model, clean.samples, clean.users)["state"]
    same = (own == states["state"]).all(1).numpy()
    assert same.all() if folds == 0 else same[np.asarray(clean.samples["split"]) > 0].all() and not same.all()
    assert TensorContract("item_vectors").validate(vectors)["vector"].shape == (80, 6)
    scores = outputs["sample_scores"]
    assert scores.schema == SCHEMAS["sample_scores"]
    train = clean.samples.filter(pc.equal(clean.samples["split"], 0))
    assert scores["sample_id"].to_pylist() == train["sample_id"].to_pylist()
    assert len(outputs["surrogate_metrics"]["epochs"]) == 2


def test_clicks_may_still_be_read_as_sequences(tmp_path):
    _, model, outputs = run(tmp_path, SurrogateParameters(model="sasrec", dimension=8, epochs=1), samples="click")
    assert isinstance(model, SasRec) and outputs["surrogate_metrics"]["model"] == "sasrec"
