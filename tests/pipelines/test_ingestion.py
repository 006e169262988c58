from __future__ import annotations

import json

import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from pydantic import ValidationError

from coresift.corpus import Source, embedded_corpus
from coresift.parameters import DataDirectory, Seed, Threads
from coresift.pipelines.ingestion import create_pipeline
from coresift.pipelines.ingestion.params import IngestionParameters
from coresift.storage import read_table

OUTPUTS = {"interactions", "items", "users", "samples", "rejected_rows", "ingestion_report", "corpus_overview"}
SHARED = {"params:ingestion", "params:threads", "params:seed", "params:data_dir"}


def test_the_names_of_datasets_and_parameters_are_not_prefixed():
    pipeline = create_pipeline()
    assert pipeline.inputs() == {"raw_interactions", "raw_items", "raw_users", *SHARED}
    assert pipeline.outputs() == OUTPUTS
    assert [node.name for node in pipeline.nodes] == ["ingestion.ingest_interactions"]


def test_raw_tables_in_and_contracts_out(tmp_path):
    raw = embedded_corpus(n_users=160, n_items=80)
    sources = {
        f"raw_{name}": MemoryDataset(Source(f"raw_{name}", table=getattr(raw, name)))
        for name in ("interactions", "items", "users")
    }
    values = {"ingestion": IngestionParameters(), "threads": Threads(1), "seed": Seed(0)}
    values["data_dir"] = DataDirectory(str(tmp_path))
    parameters = {f"params:{name}": MemoryDataset(value) for name, value in values.items()}
    catalog = DataCatalog({**sources, **parameters, **{name: MemoryDataset() for name in OUTPUTS}})
    SequentialRunner().run(create_pipeline(), catalog)
    samples, report = read_table(catalog.load("samples")), catalog.load("ingestion_report")
    assert {name: part["samples"] for name, part in report["splits"].items()} == {
        name: samples["split"].to_pylist().count(number) for name, number in {"train": 0, "valid": 1, "test": 2}.items()
    }
    assert json.loads(json.dumps(report)) == report


@pytest.mark.parametrize(
    "wrong",
    [
        {"split": "by_month"},
        {"k_core": -1},
        {"memory_limit": "lots"},
        {"samples": "sliding_window"},
        {"split": "temporal_cutoff", "valid_from": "2020-01-01"},
        {"from_time": "last summer"},
        {"negatives": 1},
        {"engine": "pandas"},
        {"spilt": "auto"},
    ],
)
def test_wrong_parameters_are_refused(wrong):
    with pytest.raises(ValidationError):
        IngestionParameters(**wrong)
