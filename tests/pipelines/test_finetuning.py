from __future__ import annotations

import pyarrow as pa
import pytest
import torch
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from recommender_cases import items_table, prompts_table, small_base_model

from coresift.parameters import (
    AdapterParameters,
    DataDirectory,
    Device,
    Dtype,
    PersonalizationParameters,
    RecommenderParameters,
    Seed,
    Threads,
    TuningShare,
)
from coresift.personalization import RecLoraConfig
from coresift.pipelines.finetuning import create_pipeline
from coresift.pipelines.finetuning.params import FinetuningParameters
from coresift.recommenders import AdapterOptions
from coresift.storage import Tensors, empty_table


def test_parameters_are_the_library_s_defaults():
    assert AdapterOptions(**AdapterParameters().model_dump()) == AdapterOptions()
    assert RecLoraConfig(**PersonalizationParameters().model_dump(exclude={"enabled"})) == RecLoraConfig()


@pytest.mark.parametrize("enabled", [False, True])
def test_the_coreset_becomes_an_adapter(tmp_path, enabled):
    prompts = prompts_table(24)
    data = {
        "prompts": prompts.drop_columns("history"),
        "samples": prompts.select(["sample_id", "history"]),
        "items": items_table(),
        "coreset": pa.table(
            {"sample_id": pa.array(range(4, 20), pa.int32()), "weight": pa.array([1.0] * 16, pa.float32())}
        ),
        "semantic_ids": empty_table("semantic_ids"),
        "base_model": small_base_model(tmp_path / "base", "bert"),
        "surrogate_states": Tensors({"sample_id": torch.arange(24), "state": torch.randn(24, 5)}, {"surrogate": "s"}),
        "params:finetuning": FinetuningParameters(epochs=2, min_steps=1, batch_size=8),
        "params:recommender": RecommenderParameters(),
        "params:adapter": AdapterParameters(r=2),
        "params:personalization": PersonalizationParameters(enabled=enabled),
        "params:device": Device("cpu"),
        "params:dtype": Dtype("auto"),
        "params:threads": Threads(1),
        "params:seed": Seed(0),
        "params:tuning_share": TuningShare(0.0),
        "params:data_dir": DataDirectory(str(tmp_path / "data")),
    }
    catalog = DataCatalog({name: MemoryDataset(value, copy_mode="assign") for name, value in data.items()})
    pipeline = create_pipeline()
    assert pipeline.inputs() == set(data)
    outputs = {name: output.load() for name, output in SequentialRunner().run(pipeline, catalog).items()}
    assert (outputs["adapter"] / "adapter_model.safetensors").is_file()
    assert (outputs["adapter"] / "reclora.json").is_file() == enabled
    assert ("gate_entropy" in outputs["training_log"][0]) == enabled
    assert [entry["step"] for entry in outputs["training_log"]] == [1, 2, 3, 4]
    assert outputs["loss_curve"].axes
