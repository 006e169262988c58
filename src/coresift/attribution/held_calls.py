"""The training samples' gradients of one layer, read many times but computed once where they fit."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from torch import Tensor

from coresift.attribution.linear_gradients import Batches, Calls, LinearProblem

logger = logging.getLogger(__name__)

LARGEST_HELD = 2**30
"""Bytes up to which the calls of all batches stay in memory."""


class HeldCalls:
    """Every batch's calls of a layer, iterable again and again.

    The gradient of a sample is a sum of outer products, one a position, and a product with it needs no more than the
    two factors. Positions whose gradient is zero are dropped; in the last block of a model that predicts from one
    position, one is left, so that a sample costs in + out numbers instead of in x out. They are held in float64 on
    the CPU; where they are too many, every iteration computes them anew.

    Args:
        problem: Layer and loss.
        batches: Re-iterable batches.
    """

    def __init__(self, problem: LinearProblem, batches: Batches) -> None:
        self.problem = problem
        self.batches = batches
        self._held: list[Calls] | None = None
        self._too_many = False

    def __iter__(self) -> Iterator[Calls]:
        """Yield the calls of one batch after another."""
        if self._held is not None:
            yield from self._held
        elif self._too_many:
            yield from self.problem.calls(self.batches)
        else:
            yield from self._first_time()

    def _first_time(self) -> Iterator[Calls]:
        held: list[Calls] = []
        n_bytes = 0
        for calls in self.problem.calls(self.batches):
            if not self._too_many:
                calls = [with_gradient(inputs, gradient) for inputs, gradient in calls]
                held.append(calls)
                n_bytes += sum(tensor.nbytes for call in calls for tensor in call)
                self._too_many = n_bytes > LARGEST_HELD
                if self._too_many:
                    held.clear()
                    logger.info("Gradient factors need more than %d MB: computing them again.", LARGEST_HELD // 2**20)
            yield calls
        if not self._too_many:
            self._held = held


def with_gradient(inputs: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
    """Return input (B, K, in) and gradient (B, K, out) at the positions that have one, in float64 on the CPU.

    K is the largest number of such positions of a sample; others are filled up with positions of gradient zero.
    """
    used = gradient.abs().amax(2) > 0
    width = max(1, int(used.sum(1).max()))
    chosen = used.int().argsort(dim=1, descending=True, stable=True)[:, :width, None]
    kept = [tensor.gather(1, chosen.expand(-1, -1, tensor.shape[2])) for tensor in (inputs, gradient)]
    return kept[0].cpu().double(), kept[1].cpu().double()
