from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest
import torch
import yaml
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from pydantic import ValidationError

from coresift.corpus import Source, embedded_corpus, ingest
from coresift.parameters import DataDirectory, Device, Seed, Threads
from coresift.pipelines.surrogate import create_pipeline
from coresift.pipelines.surrogate.params import SurrogateParameters
from coresift.storage import SCHEMAS
from coresift.surrogate import SurrogateOptions, load_surrogate, surrogate_fingerprint

CONF = Path(__file__).parents[2] / "conf"


def test_defaults_agree_between_file_model_and_library():
    defaults = SurrogateParameters().model_dump()
    assert yaml.safe_load((CONF / "base/parameters/surrogate.yml").read_text())["surrogate"] == defaults
    assert asdict(SurrogateOptions()) == SurrogateParameters().training_options()


def test_the_test_environment_only_shrinks():
    override = yaml.safe_load((CONF / "test/parameters/surrogate.yml").read_text())["surrogate"]
    small, usual = SurrogateParameters(**override).model_dump(), SurrogateParameters().model_dump()
    assert all(small[name] <= usual[name] for name in override)


def test_wrong_parameters_are_refused():
    with pytest.raises(ValidationError, match="dropout"):
        SurrogateParameters(dropout=1.0)
    with pytest.raises(ValidationError, match="layers"):
        SurrogateParameters(layers=2)


def test_samples_in_and_contracts_out(tmp_path):
    raw = embedded_corpus(n_users=160, n_items=80)
    clean = ingest(*(Source(name, table=getattr(raw, name)) for name in ("interactions", "items", "users")))
    data = {
        "interactions": clean.interactions,
        "samples": clean.samples,
        "items": clean.items,
        "item_text_vectors": {"item_id": torch.arange(80), "vector": torch.rand(80, 24)},
        "params:surrogate": SurrogateParameters(dimension=16, epochs=2),
        "params:device": Device("cpu"),
        "params:threads": Threads(1),
        "params:seed": Seed(3),
        "params:data_dir": DataDirectory(str(tmp_path)),
    }
    pipeline = create_pipeline()
    assert pipeline.inputs() == set(data)
    catalog = DataCatalog({name: MemoryDataset(value, copy_mode="assign") for name, value in data.items()})
    outputs = {name: output.load() for name, output in SequentialRunner().run(pipeline, catalog).items()}
    (weights,) = (tmp_path / ".work").glob("surrogate-*")
    model = load_surrogate(weights)
    states, vectors = outputs["surrogate_states"], outputs["item_vectors"]
    assert outputs["sample_scores"].schema == SCHEMAS["sample_scores"]
    assert states["sample_id"].tolist() == clean.samples["sample_id"].to_pylist()
    assert states.metadata == vectors.metadata == {"surrogate": surrogate_fingerprint(model)}
    assert torch.equal(vectors["vector"], model.item_vectors.detach())
    assert len(outputs["surrogate_metrics"]["epochs"]) == 2
