from __future__ import annotations

import json
from typing import get_type_hints

import pyarrow as pa
import pytest
import torch
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from pydantic import ValidationError

from coresift.foundation import load_body
from coresift.parameters import DataDirectory, Device, Dtype, RecommenderParameters, Seed, Threads
from coresift.pipelines.foundation import create_pipeline, nodes
from coresift.pipelines.foundation.params import FoundationParameters
from coresift.storage import SCHEMAS

SMALL = {"hidden_size": 32, "n_layers": 1, "training_steps": 2, "tokens_per_step": 128}


def items_table():
    titles = [f"{first} {second}" for first in ("Ember", "Frost", "Iron") for second in ("Saga", "Cup", "Rally")]
    columns = [range(9), titles, titles, [["Games"]] * 9, titles]
    return pa.table(dict(zip(SCHEMAS["items"].names, columns, strict=True)), schema=SCHEMAS["items"])


def run(data_dir, recommender="dense", **settings):
    inputs = {
        "items": items_table(),
        "params:foundation": FoundationParameters(**settings),
        "params:recommender": RecommenderParameters(name=recommender),
        "params:data_dir": DataDirectory(str(data_dir)),
        "params:seed": Seed(0),
        "params:threads": Threads(1),
        "params:device": Device("cpu"),
        "params:dtype": Dtype("auto"),
    }
    catalog = DataCatalog({name: MemoryDataset(value, copy_mode="assign") for name, value in inputs.items()})
    outputs = SequentialRunner().run(create_pipeline(), catalog)
    return {name: dataset.load() for name, dataset in outputs.items()}


def test_pipeline_makes_its_three_datasets(tmp_path):
    outputs = run(tmp_path, small_model=SMALL, text_dimensions=4)
    assert set(outputs) == {"base_model", "item_text_vectors", "semantic_ids"}
    assert outputs["base_model"].is_relative_to(tmp_path)
    assert type(load_body(outputs["base_model"])).__name__ == "LlamaModel"
    assert outputs["item_text_vectors"]["vector"].shape == (9, 4)
    assert outputs["item_text_vectors"]["item_id"].dtype == torch.int64
    assert outputs["semantic_ids"].schema == SCHEMAS["semantic_ids"]
    assert len(outputs["semantic_ids"]) == 0


def test_items_get_codes_where_the_recommender_reads_them(tmp_path):
    codes = run(tmp_path, "semantic_id", small_model=SMALL, semantic_ids={"steps": 4, "levels": 2})["semantic_ids"]
    assert codes.schema == SCHEMAS["semantic_ids"]
    assert codes["item_id"].to_pylist() == list(range(9))
    assert len({tuple(row) for row in codes["codes"].to_pylist()}) == 9


def test_given_model_is_referred_to_and_also_embeds_texts(tmp_path):
    trained = run(tmp_path / "first", small_model=SMALL)["base_model"]
    outputs = run(tmp_path / "second", model=str(trained), text_vectors=str(trained))
    assert json.loads((outputs["base_model"] / "source.json").read_text())["path"] == str(trained)
    assert outputs["item_text_vectors"]["vector"].shape == (9, 32)


def test_names_stay_as_in_the_catalog():
    pipeline = create_pipeline()
    names = ("foundation", "recommender", "data_dir", "seed", "threads", "device", "dtype")
    assert pipeline.inputs() == {"items", *(f"params:{name}" for name in names)}
    assert {node.name for node in pipeline.nodes} == {"foundation.build_base_model", "foundation.embed_item_texts"}
    assert all(get_type_hints(node.func) and node.func.__doc__ for node in pipeline.nodes)


@pytest.mark.parametrize("wrong", [{"modle": "x"}, {"small_model": {"hidden_size": 100}}, {"text_dimensions": 0}])
def test_wrong_parameters_are_refused(wrong):
    with pytest.raises(ValidationError):
        FoundationParameters(**wrong)


def test_nodes_import_no_library_at_the_top():
    assert not {"torch", "transformers", "foundation"} & set(vars(nodes))
