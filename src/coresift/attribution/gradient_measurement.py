"""Gradients of many prompts measured in shards, so that a killed pass goes on where it stopped."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from coresift.attribution.gradient_pass import BatchGradients, gradient_batches
from coresift.attribution.lora_layers import chosen_linears
from coresift.attribution.loss_batches import SampleLoss
from coresift.attribution.projection import GradientProjection
from coresift.compute import progress_bar
from coresift.storage import TRAIN, VALID, Shards, owned_folder

logger = logging.getLogger(__name__)

SAMPLES_PER_SHARD = 2048
_NOTHING: tuple[int, ...] = ()
"""The bar counts samples, which come in batches."""

MakeBatches = Callable[[pa.Table, int], Iterable[dict[str, Tensor]]]
"""Maps prompts and a batch size to batches in the order of the prompts."""
Measure = Callable[[pa.Table, int], Iterable[BatchGradients]]
"""Maps prompts and a batch size to the gradients of one batch after another, in the order of the prompts."""


def measure_gradients(
    model: nn.Module,
    prompts: pa.Table,
    shards: Shards,
    *,
    batches: MakeBatches,
    loss: SampleLoss,
    parameters: str = "lora",
    batch_size: int = 64,
    feature_dimensions: int | None = None,
    random_state: int = 0,
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Measure the training prompts' gradient norms and, in the same pass, gradient features if asked for.

    Args:
        model: A peft model with a LoRA adapter.
        prompts: Table ``prompts``; features take its training and validation rows, norms the training rows alone.
        shards: Where finished shards lie; they must stem from the same prompts, model and options.
        batches: Makes batches of prompts.
        loss: Maps model and batch to uncoupled losses (B,).
        parameters: See :func:`coresift.attribution.gradient_norms`.
        batch_size: Samples of a pass; halved where that does not fit into memory.
        feature_dimensions: Length of a gradient feature; None for none.
        random_state: Seed of the projection.

    Returns:
        The tensors of ``gradient_norms``: ``sample_id`` (N,) int64, ascending, ``gradient_norm`` (N,) float32; and
        those of ``gradient_features``: ``sample_id`` (M,), ``feature`` (M, k) float32, without a row if not asked for.

    Raises:
        ValueError: As for :func:`coresift.attribution.gradient_norms`, or if features of other than LoRA matrices are
            asked for.
    """
    if feature_dimensions is not None and parameters == "linear":
        raise ValueError("gradient features are made of LoRA gradients: set gradient_norms.parameters to 'lora'")
    layers = chosen_linears(model, parameters)
    projection = (
        None
        if feature_dimensions is None
        else GradientProjection(layers, feature_dimensions, random_state=random_state)
    )
    splits = (TRAIN,) if projection is None else (TRAIN, VALID)
    rows = prompts.filter(pc.is_in(prompts["split"], value_set=pa.array(splits, pa.int8())))
    measured = measure_in_shards(
        lambda some, size: gradient_batches(model, batches(some, size), layers, loss, projection),
        rows,
        shards,
        batch_size=batch_size,
    )
    train = measured["split"] == TRAIN
    norms = {name: measured[name][train] for name in ("sample_id", "gradient_norm")}
    if projection is None:
        return norms, no_gradients()[1]
    feature = measured.get("feature", torch.empty(0, projection.dimensions))
    return norms, {"sample_id": measured["sample_id"], "feature": feature}


def no_gradients() -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return what :func:`measure_gradients` returns, without a row: nothing was asked for."""
    norms = {"sample_id": torch.empty(0, dtype=torch.int64), "gradient_norm": torch.empty(0)}
    return norms, {"sample_id": torch.empty(0, dtype=torch.int64), "feature": torch.empty(0, 0)}


def measure_in_shards(
    measure: Measure, prompts: pa.Table, shards: Shards, *, batch_size: int, shard_size: int = SAMPLES_PER_SHARD
) -> dict[str, Tensor]:
    """Measure prompts in batches of similar length, skipping those that finished shards hold.

    Shards that are damaged or hold other rows are measured again. While a second call works on the same shards, each
    has its own.

    Args:
        measure: Maps prompts and a batch size to gradients, in order.
        prompts: Table ``prompts``; only what must be measured.
        shards: Where finished shards lie.
        batch_size: Samples of a batch.
        shard_size: Fewest samples of a shard but the last.

    Returns:
        ``sample_id`` (N,) int64, ascending, ``split`` (N,), ``gradient_norm`` (N,) and, where measured, ``feature``.
    """
    ordered = prompts.take(order_by_length(prompts, batch_size))
    if not len(ordered):
        return {**_identity(ordered), "gradient_norm": torch.empty(0)}
    with owned_folder(shards.folder) as folder:
        own = Shards(folder)
        _measure_the_rest(measure, ordered, own, batch_size, shard_size)
        written: Mapping[str, Tensor] = own.load()
        order = written["sample_id"].argsort()
        return {name: tensor[order] for name, tensor in written.items()}


def _measure_the_rest(measure: Measure, ordered: pa.Table, shards: Shards, batch_size: int, shard_size: int) -> None:
    """Add shards until they hold every row, after those that an earlier run left of exactly these rows."""
    done = shards.keep_those_of("sample_id", _identity(ordered)["sample_id"])
    waiting: list[dict[str, Tensor]] = []
    for piece in _pieces(measure, ordered.slice(done), batch_size):
        waiting.append(piece)
        done += len(piece["sample_id"])
        if done == len(ordered) or sum(len(part["sample_id"]) for part in waiting) >= shard_size:
            shards.append({name: torch.cat([part[name] for part in waiting]) for name in waiting[0]})
            waiting.clear()


def order_by_length(prompts: pa.Table, batch_size: int) -> NDArray[np.int64]:
    """Return an order in which the prompts of a batch are alike in both lengths: prompt's and response's.

    A model may read a prompt and its response as one text or as two; either way little is computed on padding.
    """
    prompt_length = np.asarray(prompts["prompt_length"], dtype=np.int64)
    response_length = np.asarray(pc.list_value_length(prompts["input_ids"]), dtype=np.int64) - prompt_length
    n_batches = math.ceil(len(prompts) / batch_size)
    strip_size = batch_size * math.ceil(math.sqrt(n_batches))
    strip = np.empty(len(prompts), dtype=np.int64)
    strip[np.argsort(response_length, kind="stable")] = np.arange(len(prompts)) // max(strip_size, 1)
    return np.lexsort((prompt_length, strip))


def _pieces(measure: Measure, rows: pa.Table, batch_size: int) -> Iterator[dict[str, Tensor]]:
    """Yield the tensors of one batch after another, with batches halved once one does not fit."""
    start = 0
    with progress_bar(_NOTHING, description="Gradients", total=len(rows), unit="sample") as bar:
        while start < len(rows):
            try:
                for gradients in measure(rows.slice(start), batch_size):
                    size = len(gradients.norms)
                    yield _identity(rows.slice(start, size)) | _tensors(gradients)
                    start += size
                    bar.update(size)
            except torch.OutOfMemoryError:
                if batch_size == 1:
                    raise
                batch_size = math.ceil(batch_size / 2)
                torch.cuda.empty_cache()
                logger.warning("A batch did not fit in memory; continuing with %d samples a batch.", batch_size)


def _identity(rows: pa.Table) -> dict[str, Tensor]:
    return {name: torch.tensor(np.asarray(rows[name], dtype=np.int64)) for name in ("sample_id", "split")}


def _tensors(gradients: BatchGradients) -> dict[str, Tensor]:
    features = {} if gradients.features is None else {"feature": gradients.features}
    return {"gradient_norm": gradients.norms, **features}
