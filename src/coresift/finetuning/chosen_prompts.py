"""Which prompts are trained on, with what weight, and which ones watch."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from coresift.storage import TRAIN, VALID


def training_prompts(prompts: pa.Table, coreset: pa.Table | None) -> tuple[pa.Table, Tensor]:
    """Return the prompts of a coreset and their weights.

    Args:
        prompts: Table ``prompts``.
        coreset: Table ``coreset``; None trains on every training sample with weight 1.

    Returns:
        The prompts in the order of their ids, and (N,) float32 weights of mean 1.

    Raises:
        ValueError: If there is no sample to train on, the coreset names one that is no training sample, or its weights
            do not sum to a positive number.
    """
    chosen = prompts.filter(pc.equal(prompts["split"], TRAIN))
    if coreset is None:
        weights = torch.ones(len(chosen))
    else:
        chosen, weights = _coreset_prompts(chosen, coreset)
    if not len(chosen):
        raise ValueError("there is no sample to train on: raise selection.budget, or lower ingestion.min_history")
    return chosen, weights


def _coreset_prompts(prompts: pa.Table, coreset: pa.Table) -> tuple[pa.Table, Tensor]:
    ordered = coreset.sort_by("sample_id")
    positions = pc.index_in(ordered["sample_id"], value_set=prompts["sample_id"])
    if positions.null_count:
        raise ValueError("coreset names samples that are no training prompts: run the selection pipeline again")
    weights = torch.tensor(np.asarray(ordered["weight"], dtype=np.float32))
    if len(weights) and not (weights.min() >= 0 and weights.sum() > 0):
        raise ValueError("coreset: weights must not be negative, and one must be positive")
    return prompts.take(positions), weights / weights.mean()


def validation_prompts(prompts: pa.Table, count: int, *, random_state: int) -> pa.Table:
    """Return a random subset of the validation prompts, in the order of their ids."""
    watched = prompts.filter(pc.equal(prompts["split"], VALID))
    if len(watched) <= count:
        return watched
    drawn = np.random.default_rng(random_state).choice(len(watched), count, replace=False)
    return watched.take(np.sort(drawn))
