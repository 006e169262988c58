"""Recommenders by name, built from a base model's folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
from transformers import PreTrainedModel

from coresift.compute import resolve_device, resolve_dtype
from coresift.foundation import base_model_location, load_body, load_tokenizer
from coresift.recommenders.adapters import attach_adapter, load_adapter
from coresift.recommenders.dense import DenseRecommender
from coresift.recommenders.protocol import AdapterOptions, Recommender
from coresift.storage import fingerprint

RECOMMENDERS: dict[str, Callable[..., Recommender]] = {"dense": DenseRecommender}
"""Recommenders by the name that ``recommender.name`` takes."""
OF_THE_MODEL = ("pooling",)
"""Options that an adapter was trained for and that must not change afterwards."""


def build_recommender(
    name: str,
    *,
    base_model: Path,
    items: pa.Table,
    adapter: AdapterOptions | None = None,
    adapter_folder: Path | None = None,
    device: str = "auto",
    dtype: str = "float32",
    random_state: int = 0,
    **options: Any,  # noqa: ANN401 - each recommender types its own
) -> Recommender:
    """Build a recommender: bare, with a fresh adapter, or with a tuned one.

    Args:
        name: One of ``RECOMMENDERS``.
        base_model: Folder of the base model as the foundation stage writes it.
        items: Table ``items``; row = item id.
        adapter: Options of a fresh LoRA adapter; None and no folder: the untuned model.
        adapter_folder: Folder of a tuned adapter.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        dtype: ``auto``, ``float32`` or ``bfloat16``.
        random_state: Seed of the adapter's start and of fixed negatives.
        **options: What the recommender itself takes, such as ``pooling``.

    Raises:
        ValueError: If the name is unknown, items are not in the order of their ids, or the adapter was trained for
            another base model, recommender or pooling.
    """
    if name not in RECOMMENDERS:
        raise ValueError(f"recommender.name is '{name}': use one of {', '.join(sorted(RECOMMENDERS))}")
    location = base_model_name(base_model)
    if adapter_folder is not None:
        _check_adapter(adapter_folder, {"name": name, "base_model": location} | options)
    place = resolve_device(device)
    precision = resolve_dtype(dtype, place)
    body = load_body(base_model, dtype=precision)
    model = _adapted(body, adapter, adapter_folder, random_state=random_state).to(place)
    return RECOMMENDERS[name](
        model,
        load_tokenizer(base_model),
        _item_texts(items),
        base_name=location,
        dtype=precision,
        random_state=random_state,
        **options,
    )


def base_model_name(base_model: Path) -> str:
    """Return the hub id of a base model, or the fingerprint of one that lies in a local folder."""
    location = base_model_location(base_model)
    return fingerprint(Path(location)) if Path(location).is_dir() else location


def _adapted(
    body: PreTrainedModel, adapter: AdapterOptions | None, folder: Path | None, *, random_state: int
) -> PreTrainedModel:
    if folder is not None:
        return load_adapter(body, folder)
    return body if adapter is None else attach_adapter(body, adapter, random_state=random_state)


def _check_adapter(folder: Path, wanted: dict[str, object]) -> None:
    facts_file = folder / "recommender.json"
    if not facts_file.is_file():
        raise ValueError(f"'{folder}' holds no recommender.json: it was not written by the finetuning pipeline")
    facts = json.loads(facts_file.read_text(encoding="utf-8"))
    for key in ("name", "base_model", *OF_THE_MODEL):
        if key in wanted and wanted[key] != facts.get(key):
            raise ValueError(
                f"the adapter in '{folder}' was tuned with {key} {facts.get(key)!r}, not {wanted[key]!r}: "
                "run the finetuning pipeline again, or go back to these parameters"
            )


def _item_texts(items: pa.Table) -> list[str]:
    if items["item_id"].to_pylist() != list(range(len(items))):
        raise ValueError("items: item_id must run from 0 without gaps; run the ingestion pipeline again")
    return [text or "" for text in items["text"].to_pylist()]
