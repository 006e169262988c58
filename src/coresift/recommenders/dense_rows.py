"""Prompts as padded batches of tensors for the dense recommender."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from coresift.recommenders.protocol import Batch
from coresift.recommenders.tokens import RaggedIntegers, prompt_tokens

NO_ITEM = -1


class Groups(Protocol):
    """Indices of every batch, iterable again and again."""

    def __len__(self) -> int:
        """Number of batches."""

    def __iter__(self) -> Iterator[list[int]]:
        """The indices of one batch after another."""


class DenseRows(torch.utils.data.Dataset[Batch]):
    """Prompts that a data loader can fetch batch by batch.

    Args:
        prompts: Table ``prompts``, optionally with a ``history`` column of item ids.
        padding: Token id behind shorter prompts.
        weights: (N,) weight of every sample; 1 by default.
    """

    def __init__(self, prompts: pa.Table, *, padding: int, weights: Tensor | None = None) -> None:
        self.tokens = prompt_tokens(prompts, padding=padding)
        self.sample_id = torch.tensor(np.asarray(prompts["sample_id"], dtype=np.int64))
        self.target_id = torch.tensor(np.asarray(prompts["target_id"], dtype=np.int64))
        self.weight = torch.ones(len(prompts)) if weights is None else weights.float()
        histories = prompts["history"] if "history" in prompts.column_names else _empty_lists(len(prompts))
        self.history = RaggedIntegers.from_arrow(histories, padding=NO_ITEM)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of every prompt (N,)."""
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
        input_ids, attention_mask = self.tokens.padded(rows)
        return {
            "sample_id": self.sample_id[rows],
            "target_id": self.target_id[rows],
            "input_ids": input_ids,
            "attention_mask": attention_mask,
            "history": self.history.padded(rows)[0],
            "weight": self.weight[rows],
        }


def _empty_lists(count: int) -> pa.ListArray:
    return pa.ListArray.from_arrays(pa.array(np.zeros(count + 1, dtype=np.int32)), pa.array([], pa.int32()))


class DenseBatches:
    """Batches that can be iterated again and again.

    Args:
        rows: The samples.
        groups: Indices of every batch.
        device: Where the tensors go.
        shared: Called once an iteration for tensors that every batch gets beside its own.
    """

    def __init__(
        self,
        rows: DenseRows,
        groups: Groups,
        *,
        device: torch.device,
        shared: Callable[[], Batch],
    ) -> None:
        self.rows = rows
        self.groups = groups
        self.device = device
        self.shared = shared

    def __len__(self) -> int:
        """Number of batches."""
        return len(self.groups)

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batches, on the device."""
        shared = self.shared()
        for indices in self.groups:
            own = self.rows.__getitems__(indices)
            yield {name: tensor.to(self.device) for name, tensor in own.items()} | shared
