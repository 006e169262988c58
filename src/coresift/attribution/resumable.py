"""Gradient norms of many samples in shards, so that a killed pass goes on where it stopped."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from coresift.compute import progress_bar
from coresift.storage import Shards

SAMPLES_PER_SHARD = 2048


def norms_in_shards(
    score: Callable[[pa.Table], Tensor], prompts: pa.Table, shards: Shards, *, shard_size: int = SAMPLES_PER_SHARD
) -> dict[str, Tensor]:
    """Score prompts shard by shard, of similar length each, skipping the shards already written.

    Args:
        score: Maps N prompts to their N gradient norms, in order.
        prompts: Table ``prompts``; only what must be scored.
        shards: Where finished shards lie; they must stem from the same prompts and parameters.
        shard_size: Samples of a shard.

    Returns:
        ``sample_id`` (N,) int64, ascending, and ``gradient_norm`` (N,) float32.
    """
    by_length = prompts.take(np.argsort(np.asarray(prompts["prompt_length"]), kind="stable"))
    starts = range(0, len(by_length), shard_size)
    for start in progress_bar(starts[shards.written :], description="Gradient norms", total=len(starts)):
        rows = by_length.slice(start, shard_size)
        sample_id = torch.tensor(np.asarray(rows["sample_id"], dtype=np.int64))
        shards.append({"sample_id": sample_id, "gradient_norm": score(rows)})
    if not starts:
        return {"sample_id": torch.empty(0, dtype=torch.int64), "gradient_norm": torch.empty(0)}
    written = shards.load()
    order = written["sample_id"].argsort()
    return {name: tensor[order] for name, tensor in written.items()}


def training_rows(prompts: pa.Table) -> pa.Table:
    """Return the rows of the training split."""
    return prompts.filter(pc.equal(prompts["split"], 0))


def no_gradient_features() -> dict[str, Tensor]:
    """Return the tensors of ``gradient_features`` without a row, for runs that do not ask for them."""
    return {"sample_id": torch.empty(0, dtype=torch.int64), "feature": torch.empty(0, 0)}
