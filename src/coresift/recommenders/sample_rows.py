"""Prompts as padded batches of tensors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from coresift.recommenders.protocol import Batch
from coresift.recommenders.tokens import RaggedIntegers


class SampleRows(torch.utils.data.Dataset[Batch]):
    """Samples that a data loader can fetch batch by batch.

    Args:
        prompts: Table ``prompts``.
        tokens: What the model reads of each sample.
        weights: (N,) weight of every sample; 1 by default.
        left: Pad in front of shorter samples, so that all end in the last column.
    """

    def __init__(
        self, prompts: pa.Table, tokens: RaggedIntegers, *, weights: Tensor | None = None, left: bool = False
    ) -> None:
        self.tokens = tokens
        self.left = left
        self.sample_id = integer_column(prompts, "sample_id")
        self.weight = torch.ones(len(prompts)) if weights is None else weights.float()

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of every sample (N,)."""
        return self.tokens.lengths

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.tokens)

    def __getitem__(self, index: int) -> Batch:
        """One sample as a batch of one."""
        return self.__getitems__([index])

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """The samples at ``indices`` as one padded batch."""
        rows = torch.as_tensor(indices)
        input_ids, attention_mask = self.tokens.padded(rows, left=self.left)
        return {
            "sample_id": self.sample_id[rows],
            "input_ids": input_ids,
            "attention_mask": attention_mask,
            "weight": self.weight[rows],
            **self.own_tensors(rows),
        }

    def own_tensors(self, rows: Tensor) -> Batch:
        """What this kind of sample carries beside tokens, id and weight, for the samples at ``rows`` (B,)."""
        return {}


def integer_column(prompts: pa.Table, name: str) -> Tensor:
    """Return a column of integers (N,) int64."""
    return torch.tensor(np.asarray(prompts[name], dtype=np.int64))


def place_in_text(attention_mask: Tensor) -> Tensor:
    """Return the position (B, T) of every token in its own text, whichever side is padded."""
    return (attention_mask.cumsum(1) - 1).clamp(min=0)
