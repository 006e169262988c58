"""Prompts, targets and histories as batches for the dense recommender."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from torch import Tensor

from coresift.recommenders.batches import Batch, SampleRows, integer_column
from coresift.recommenders.tokens import RaggedIntegers, prompt_tokens

NO_ITEM = -1


class DenseRows(SampleRows):
    """Prompts without their responses, the target's id, and items that are no negatives.

    Args:
        prompts: Table ``prompts``, optionally with a ``history`` column of item ids.
        padding: Token id behind shorter prompts.
        weights: (N,) weight of every sample; 1 by default.
    """

    def __init__(self, prompts: pa.Table, *, padding: int, weights: Tensor | None = None) -> None:
        super().__init__(prompts, prompt_tokens(prompts, padding=padding), weights=weights)
        self.target_id = integer_column(prompts, "target_id")
        histories = prompts["history"] if "history" in prompts.column_names else _empty_lists(len(prompts))
        self.history = RaggedIntegers.from_arrow(histories, padding=NO_ITEM)

    def own_tensors(self, rows: Tensor) -> Batch:
        """Return the targets (B,) and histories (B, H), padded with -1."""
        return {"target_id": self.target_id[rows], "history": self.history.padded(rows)[0]}


def _empty_lists(count: int) -> pa.ListArray:
    return pa.ListArray.from_arrays(pa.array(np.zeros(count + 1, dtype=np.int32)), pa.array([], pa.int32()))
