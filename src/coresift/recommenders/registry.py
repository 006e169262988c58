"""Recommenders by name, built from a base model's folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
from peft import PeftModel
from torch import Tensor, nn
from transformers import PreTrainedModel

from coresift.compute import FOUR_BITS, resolve_device, resolve_dtype
from coresift.foundation import load_tokenizer
from coresift.personalization import RecLoraModel, SampleStates, check_surrogate
from coresift.recommenders.dense.recommender import DenseRecommender
from coresift.recommenders.ingredients import Given, Parts
from coresift.recommenders.language_model import FACTS_FILE, LanguageModelRecommender
from coresift.recommenders.protocol import AdapterOptions
from coresift.recommenders.semantic_id.recommender import SemanticIdRecommender
from coresift.recommenders.title_generation.recommender import TitleGenerationRecommender
from coresift.recommenders.yes_no.recommender import YesNoRecommender

RECOMMENDERS: dict[str, type[LanguageModelRecommender]] = {
    kind.name: kind for kind in (TitleGenerationRecommender, YesNoRecommender, SemanticIdRecommender, DenseRecommender)
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
) -> LanguageModelRecommender:
    """Build a recommender: bare, with a fresh adapter, or with a tuned one.

    Args:
        name: One of ``RECOMMENDERS``.
        base_model: Folder of the base model as the foundation stage writes it.
        items: Table ``items``; row = item id.
        adapter: Options of a fresh LoRA adapter; None and no folder: the untuned model.
        adapter_folder: Folder of a tuned adapter.
        states: The surrogate's states, which a personalised adapter reads; None mixes evenly for all users.
        item_counts: (M,) training interactions of every item, for recommenders that weigh by popularity.
        semantic_ids: Table ``semantic_ids``, which recommender semantic_id reads.
        probe: Only gradients will be measured: a fresh adapter is attached even where training moves all weights.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        dtype: ``auto``, ``float32``, ``bfloat16``, or ``nf4`` for a base model in four bits (bitsandbytes).
        random_state: Seed of the adapter's start and of fixed negatives.
        **options: What the recommender itself takes, such as ``pooling``.

    Raises:
        ValueError: If the name is unknown, items are not in the order of their ids, or the adapter was trained for
            another base model, recommender or pooling, or the base model cannot be loaded in the ``dtype``.
    """
    if name not in RECOMMENDERS:
        raise ValueError(f"recommender.name is '{name}': use one of {', '.join(sorted(RECOMMENDERS))}")
    kind = RECOMMENDERS[name]
    _check_items(items)
    place = resolve_device(device)
    four_bits_on = place if dtype == FOUR_BITS else None
    given = Given(base_model, items, resolve_dtype(dtype, place), random_state, four_bits_on, item_counts, semantic_ids)
    base_name = kind.name_base(given, options)
    if adapter_folder is not None:
        _check_adapter(adapter_folder, kind, {"name": name, "base_model": base_name} | options)
    model: PreTrainedModel | PeftModel = kind.load_base(given, options)
    if adapter_folder is not None:
        model = kind.load_tuned(model, adapter_folder)
    elif adapter is not None:
        model = kind.make_tunable(model, adapter, given, options, probe=probe)
    parts = Parts(model.to(place), load_tokenizer(base_model), base_name, given)
    recommender = kind.from_parts(parts, options)
    recommender.states = _checked_states(recommender.model, states)
    return recommender


def _checked_states(model: nn.Module, states: SampleStates | None) -> SampleStates | None:
    if states is not None and isinstance(model, RecLoraModel):
        check_surrogate(model.reclora, states.surrogate)
    return states


def _check_adapter(folder: Path, kind: type[LanguageModelRecommender], wanted: dict[str, Any]) -> None:
    facts_file = folder / FACTS_FILE
    if not facts_file.is_file():
        raise ValueError(f"'{folder}' holds no recommender.json: it was not written by the finetuning pipeline")
    facts = json.loads(facts_file.read_text(encoding="utf-8"))
    for key in ("name", "base_model", *kind.bound_options):
        if key in wanted and _plain(wanted[key]) != facts.get(key):
            raise ValueError(
                f"the adapter in '{folder}' was tuned with {key} {facts.get(key)!r}, not {wanted[key]!r}: "
                "run the finetuning pipeline again, or go back to these parameters"
            )


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _check_items(items: pa.Table) -> None:
    if items["item_id"].to_pylist() != list(range(len(items))):
        raise ValueError("items: item_id must run from 0 without gaps; run the ingestion pipeline again")
