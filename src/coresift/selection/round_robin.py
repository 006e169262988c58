"""Targets take turns: each takes the closest candidate that is left."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from coresift.ranking import top_items_from

CELLS_PER_BLOCK = 8_000_000
SHORTEST_LIST = 16

Closeness: TypeAlias = Callable[[NDArray[np.int64]], torch.Tensor]
"""Maps (m,) positions of targets to their closeness (m, T) to every candidate, higher is closer."""


def round_robin(
    closeness: Closeness, n_targets: int, n_rows: int, budget: int, random_state: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Lets targets choose in turn, in a random order, until the budget is used up.

    Only a short list per target is held; a target whose list is used up gets a new one from what is left.

    Args:
        closeness: the closeness of some targets to all candidates.
        n_targets: how many targets there are.
        n_rows: how many candidates there are, T.
        budget: how many candidates to choose, at most T.
        random_state: seed of the order of the targets.

    Returns:
        (budget,) distinct candidates in the order they were taken, and (T,) the closeness at which each was taken,
        NaN for the others. Of equally close candidates the lowest position is taken first.
    """
    order = np.random.default_rng(random_state).permutation(n_targets)[:budget]
    depth = min(n_rows, max(SHORTEST_LIST, 2 * -(-budget // len(order))))
    search = _Lists(closeness, order, n_rows, depth)
    taken_at = np.full(n_rows, np.nan)
    chosen = np.empty(budget, dtype=np.int64)
    for turn in range(budget):
        row, value = search.take(turn % len(order))
        chosen[turn], taken_at[row] = row, value
    return chosen, taken_at


class _Lists:
    """The closest candidates of every target, refilled where they are used up."""

    def __init__(self, closeness: Closeness, targets: NDArray[np.int64], n_rows: int, depth: int) -> None:
        self.closeness = closeness
        self.targets = targets
        self.depth = depth
        self.taken = np.zeros(n_rows, dtype=bool)
        self.rows, self.values = self._closest(targets)
        self.place = np.zeros(len(targets), dtype=np.int64)

    def take(self, target: int) -> tuple[int, float]:
        """Takes the closest candidate that is left, and returns it with its closeness."""
        while True:
            place = int(self.place[target])
            if place == self.depth:
                self.rows[target], self.values[target] = (part[0] for part in self._closest(self.targets[[target]]))
                place = 0
            self.place[target] = place + 1
            row = int(self.rows[target, place])
            if not self.taken[row]:
                self.taken[row] = True
                return row, float(self.values[target, place])

    def _closest(self, targets: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        taken = torch.from_numpy(self.taken)

        def open_closeness(block: slice) -> torch.Tensor:
            values = self.closeness(targets[block])
            return values.masked_fill(taken.to(values.device), -torch.inf)

        block_size = max(1, CELLS_PER_BLOCK // len(taken))
        rows, values = top_items_from(open_closeness, len(targets), self.depth, block_size=block_size)
        return rows.numpy(), values.numpy()
