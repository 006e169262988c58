from __future__ import annotations

from typing import get_type_hints

import pyarrow as pa
import pytest
import torch
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from pydantic import ValidationError

from coresift.foundation import SmallModelOptions, build_base_model
from coresift.parameters import RecommenderParameters
from coresift.pipelines.prompting import create_pipeline
from coresift.pipelines.prompting.params import PromptingParameters
from coresift.storage import SCHEMAS

TINY = SmallModelOptions(hidden_size=32, n_layers=1, training_steps=1, tokens_per_step=128)


def table(name, *columns):
    return pa.table(dict(zip(SCHEMAS[name].names, columns, strict=True)), schema=SCHEMAS[name])


def test_pipeline_renders_prompts_with_the_base_models_tokenizer(tmp_path):
    titles = ["Ember Saga", "Frost Cup", "Iron Rally"]
    items = table("items", range(3), titles, titles, [None] * 3, titles)
    samples = table(
        "samples", [0, 1], [0, 0], [[0], [0, 1]], [[None], [None] * 2], [[1], [2, 0]], [1, 1], [None] * 2, [0, 2]
    )
    inputs = {
        "samples": samples,
        "items": items,
        "users": table("users", [0], ["u"]),
        "base_model": build_base_model(items, tmp_path / "m", model=None, random_state=0, small_model=TINY),
        "item_text_vectors": {"item_id": torch.arange(3), "vector": torch.eye(3)},
        "params:prompting": PromptingParameters(templates={"prompt": "{{ user.raw_id }}: {{ history | join(', ') }}"}),
        "params:recommender": RecommenderParameters(),
    }
    catalog = DataCatalog({name: MemoryDataset(value, copy_mode="assign") for name, value in inputs.items()})
    assert create_pipeline().inputs() == set(inputs)
    prompts = SequentialRunner().run(create_pipeline(), catalog)["prompts"].load()
    assert prompts.schema == SCHEMAS["prompts"]
    assert prompts["prompt"].to_pylist() == ["u: Ember Saga", "u: Frost Cup, Ember Saga"]
    assert prompts["response"].to_pylist() == ["Frost Cup", "Iron Rally"]
    assert prompts["split"].to_pylist() == [0, 2]


def test_node_is_described_and_typed():
    (node,) = create_pipeline().nodes
    assert node.name == "prompting.render_prompts"
    assert get_type_hints(node.func)["parameters"] is PromptingParameters
    assert node.func.__doc__


@pytest.mark.parametrize(
    "wrong", [{"history_order": "random"}, {"max_tokens": 32, "max_response_tokens": 32}, {"templates": {"target": ""}}]
)
def test_wrong_parameters_are_refused(wrong):
    with pytest.raises(ValidationError):
        PromptingParameters(**wrong)
