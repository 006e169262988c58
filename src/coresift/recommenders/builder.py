"""Recommenders built from a base model's folder: untuned, with a fresh adapter, or with a tuned one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
from peft import PeftModel
from torch import Tensor, nn
from transformers import PreTrainedModel

from coresift.attribution import GradientFeatureOptions, GradientNormOptions, measure_gradients
from coresift.foundation import load_tokenizer
from coresift.personalization import RecLoraModel, SampleStates, check_surrogate
from coresift.recommenders.contract import FACTS_FILE, Recommender
from coresift.recommenders.dense.recommender import DenseRecommender
from coresift.recommenders.inputs import LoadedModel, RecommenderInputs
from coresift.recommenders.options import AdapterOptions
from coresift.recommenders.registry import recommender_options
from coresift.recommenders.semantic_id.recommender import SemanticIdRecommender
from coresift.recommenders.title_generation.recommender import TitleGenerationRecommender
from coresift.recommenders.yes_no.recommender import YesNoRecommender
from coresift.storage import Shards

RECOMMENDERS: dict[str, type[Recommender[Any]]] = {
    kind.declared.name: kind
    for kind in (TitleGenerationRecommender, YesNoRecommender, SemanticIdRecommender, DenseRecommender)
}
"""Recommenders by the name that ``recommender.name`` takes."""


def build_recommender(
    name: str,
    *,
    base_model: Path,
    items: pa.Table,
    adapter: AdapterOptions | None = None,
    adapter_folder: Path | None = None,
    states: SampleStates | None = None,
    item_counts: Tensor | None = None,
    semantic_ids: pa.Table | None = None,
    probe: bool = False,
    device: str = "auto",
    dtype: str = "float32",
    random_state: int = 0,
    **options: Any,  # noqa: ANN401 - each recommender types its own
) -> Recommender[Any]:
    """Build a recommender: bare, with a fresh adapter, or with a tuned one.

    Args:
        name: One of ``RECOMMENDERS``.
        base_model: Folder of the base model as the foundation stage writes it.
        items: Table ``items``; row = item id.
        adapter: Options of a fresh LoRA adapter; None and no folder: the untuned model.
        adapter_folder: Folder of a tuned adapter.
        states: The surrogate's states, which a personalized adapter reads; None mixes evenly for all users.
        item_counts: (M,) training interactions of every item, for recommenders that weigh by popularity.
        semantic_ids: Table ``semantic_ids``, which recommender semantic_id reads.
        probe: Only gradients will be measured: a fresh adapter is attached even where training moves all weights.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        dtype: ``auto``, ``float32``, ``bfloat16``, or ``nf4`` for a base model in four bits (bitsandbytes).
        random_state: Seed of the adapter's start and of fixed negatives.
        **options: What the recommender itself takes, such as ``pooling``; what an adapter was tuned for is its default.

    Raises:
        ValueError: If the name is unknown, an option is out of bounds, items are not in the order of their ids, the
            adapter was trained for another base model, recommender or pooling, or the base model cannot be loaded in
            the ``dtype``.
    """
    if adapter_folder is not None:
        options = _tuned_for(name, adapter_folder) | options
    chosen = recommender_options(name, **options)
    inputs = RecommenderInputs(chosen, base_model, items, semantic_ids, item_counts, device, dtype, random_state)
    return recommender_of(inputs, adapter=adapter, adapter_folder=adapter_folder, states=states, probe=probe)


def recommender_of(
    inputs: RecommenderInputs[Any],
    *,
    adapter: AdapterOptions | None = None,
    adapter_folder: Path | None = None,
    states: SampleStates | None = None,
    probe: bool = False,
) -> Recommender[Any]:
    """Build the recommender that the inputs' options declare; see :func:`build_recommender`."""
    kind = RECOMMENDERS[inputs.options.name]
    base_name = kind.name_base(inputs)
    if adapter_folder is not None:
        _check_adapter(adapter_folder, kind, inputs, base_name)
    model: PreTrainedModel | PeftModel = kind.load_base(inputs)
    if adapter_folder is not None:
        model = kind.load_tuned(model, adapter_folder)
    elif adapter is not None:
        model = kind.make_tunable(model, adapter, inputs, probe=probe)
    loaded = LoadedModel(model.to(inputs.place), load_tokenizer(inputs.base_model), base_name)
    recommender = kind.from_inputs(inputs, loaded)
    recommender.states = _checked_states(recommender.model, states)
    return recommender


def probe_gradients(
    inputs: RecommenderInputs[Any],
    adapter: AdapterOptions,
    prompts: pa.Table,
    shards: Shards,
    *,
    norms: GradientNormOptions,
    features: GradientFeatureOptions,
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Measure how strongly the training prompts pull at a fresh adapter; see :func:`measure_gradients`.

    At its start DoRA has the gradients of LoRA: its magnitudes are the norms, which it holds fixed. LoRA is measured.

    Args:
        inputs: What the recommender is built from.
        adapter: Options of the adapter.
        prompts: Table ``prompts``, with a ``history`` column where the recommender reads it.
        shards: Where finished shards lie, the same for equal inputs and for them only.
        norms: Which matrices are measured, and how many samples a pass takes.
        features: Whether projected gradients are made in the same pass, and how long they are.
    """
    probe = recommender_of(inputs, adapter=replace(adapter, use_dora=False), probe=True)
    return measure_gradients(
        probe.model,
        prompts,
        shards,
        batches=probe.batches,
        loss=probe.sample_loss,
        parameters=norms.parameters,
        batch_size=norms.batch_size,
        feature_dimensions=features.dimensions if features.enabled else None,
        random_state=inputs.random_state,
    )


def _checked_states(model: nn.Module, states: SampleStates | None) -> SampleStates | None:
    if states is not None and isinstance(model, RecLoraModel):
        check_surrogate(model.reclora, states.surrogate)
    return states


def _tuned_for(name: str, folder: Path) -> dict[str, Any]:
    """Return the options that an adapter of this recommender was tuned for and that must not change afterwards."""
    facts = _facts_of(folder)
    bound = RECOMMENDERS[name].bound_options if facts.get("name") == name in RECOMMENDERS else ()
    return {key: tuple(facts[key]) if isinstance(facts[key], list) else facts[key] for key in bound if key in facts}


def _check_adapter(folder: Path, kind: type[Recommender[Any]], inputs: RecommenderInputs[Any], base_name: str) -> None:
    wanted = {"name": inputs.options.name, "base_model": base_name}
    wanted |= {key: getattr(inputs.options, key) for key in kind.bound_options}
    facts = _facts_of(folder)
    for key, value in wanted.items():
        if (list(value) if isinstance(value, tuple) else value) != facts.get(key):
            raise ValueError(
                f"the adapter in '{folder}' was tuned with {key} {facts.get(key)!r}, not {value!r}: "
                "run the finetuning pipeline again, or go back to these parameters"
            )


def _facts_of(folder: Path) -> dict[str, Any]:
    """Return what an adapter was tuned with.

    Raises:
        ValueError: If the folder does not tell.
    """
    facts_file = folder / FACTS_FILE
    if not facts_file.is_file():
        raise ValueError(f"'{folder}' holds no recommender.json: it was not written by the finetuning pipeline")
    return json.loads(facts_file.read_text(encoding="utf-8"))
