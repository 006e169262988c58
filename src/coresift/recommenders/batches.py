"""Samples as padded batches: rows, groups of similar length, batches that can be iterated again."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeAlias, TypeVar

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from coresift.compute import in_shrinking_batches, progress_bar
from coresift.recommenders.tokens import RaggedIntegers

Batch: TypeAlias = dict[str, Tensor]
"""Tensors of B samples; ``input_ids`` and ``attention_mask`` are (B, T), ``weight`` is (B,)."""


class TrainingRows(Protocol):
    """Samples that a data loader can fetch batch by batch."""

    @property
    def lengths(self) -> NDArray:
        """Tokens of every sample (N,), for grouping by length."""

    def __len__(self) -> int:
        """Return the number of samples."""

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """Return the samples at ``indices`` as one padded batch."""


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
        """Return the number of samples."""
        return len(self.tokens)

    def __getitem__(self, index: int) -> Batch:
        """One sample as a batch of one."""
        return self.__getitems__([index])

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """Return the samples at ``indices`` as one padded batch."""
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
        """Return what this kind of sample carries beside tokens, id and weight, for the samples at ``rows`` (B,)."""
        return {}


def integer_column(prompts: pa.Table, name: str) -> Tensor:
    """Return a column of integers (N,) int64."""
    return torch.tensor(np.asarray(prompts[name], dtype=np.int64))


def place_in_text(attention_mask: Tensor) -> Tensor:
    """Return the position (B, T) of every token in its own text, whichever side is padded."""
    return (attention_mask.cumsum(1) - 1).clamp(min=0)


BATCHES_PER_POOL = 32
"""Batches cut from one length-sorted pool: padding stays below a twentieth of the tokens (16 would leave .07)."""


class LengthGroupedBatches(torch.utils.data.Sampler[list[int]]):
    """Random batches of similar length; a pure function of the seed and the epoch.

    Args:
        lengths: (N,) tokens of every sample.
        batch_size: Samples of a batch; the last one may be smaller.
        random_state: Seed.
    """

    def __init__(self, lengths: NDArray, batch_size: int, *, random_state: int) -> None:
        self.lengths = lengths
        self.batch_size = batch_size
        self.random_state = random_state
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration shuffles for."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Return the number of batches."""
        return math.ceil(len(self.lengths) / self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        """Shuffle, sort within pools of a few batches, cut, and shuffle the batches."""
        generator = np.random.default_rng([self.random_state, self.epoch])
        order = generator.permutation(len(self.lengths))
        pool = np.arange(len(order)) // (self.batch_size * BATCHES_PER_POOL)
        order = order[np.lexsort((self.lengths[order], pool))]
        cuts = np.arange(self.batch_size, len(order), self.batch_size)
        batches = np.split(order, cuts)
        for position in generator.permutation(len(batches)):
            yield batches[position].tolist()


class Groups(Protocol):
    """Indices of every batch, iterable again and again."""

    def __len__(self) -> int:
        """Return the number of batches."""

    def __iter__(self) -> Iterator[list[int]]:
        """Return the indices of one batch after another."""


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
        """Return the number of batches."""
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


Result = TypeVar("Result")


def in_length_order(
    lengths: NDArray[np.int64], batch_size: int, function: Callable[[Tensor], Result], *, description: str
) -> Iterator[tuple[Tensor, Result]]:
    """Yield ``(places, function(places))`` for batches that cover all rows, longest rows first.

    Little is computed on padding, the largest batch comes first, and a batch that does not fit is halved.

    Args:
        lengths: (N,) tokens of every row.
        batch_size: Rows of the first batch.
        function: Called with the places (B,) of the rows of a batch, without gradients.
        description: A few words for the progress bar.
    """
    order = torch.from_numpy(np.argsort(-lengths, kind="stable"))

    def apply(block: slice) -> Result:
        with torch.no_grad():
            return function(order[block])

    blocks = in_shrinking_batches(apply, len(order), batch_size)
    for block, result in progress_bar(blocks, description=description, total=-(-len(order) // batch_size)):
        yield order[block], result
