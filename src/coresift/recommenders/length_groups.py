"""Batches of samples of similar length, so that little is computed on padding."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

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
        """Number of batches."""
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
