"""Batches of samples that can be iterated again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import torch

from coresift.recommenders.length_groups import LengthGroupedBatches
from coresift.recommenders.protocol import Batch, TrainingRows


class Groups(Protocol):
    """Indices of every batch, iterable again and again."""

    def __len__(self) -> int:
        """Number of batches."""

    def __iter__(self) -> Iterator[list[int]]:
        """The indices of one batch after another."""


class RowBatches:
    """Batches on a device.

    Args:
        rows: The samples.
        groups: Indices of every batch.
        device: Where the tensors go.
        shared: Called once an iteration for tensors that every batch gets beside its own.
    """

    def __init__(
        self, rows: TrainingRows, groups: Groups, *, device: torch.device, shared: Callable[[], Batch] = dict
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


def groups_of(rows: TrainingRows, batch_size: int, *, shuffle: bool, random_state: int) -> Groups:
    """Return the indices of every batch: in the order of the rows, or shuffled in groups of similar length."""
    if shuffle:
        return LengthGroupedBatches(rows.lengths, batch_size, random_state=random_state)
    return [list(range(start, min(start + batch_size, len(rows)))) for start in range(0, len(rows), batch_size)]
