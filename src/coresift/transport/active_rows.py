"""The few candidates that matter at present, with their costs in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from coresift.transport.block_cost import BlockCost


class CostStream(Protocol):
    """Anything that streams cost rows: all candidates, or the active ones."""

    device: torch.device

    def blocks(self) -> Iterator[tuple[NDArray[np.int64], torch.Tensor]]:
        """Yield positions and their (b, V) costs, which the receiver may overwrite."""


class ActiveRows:
    """Some rows of a cost, held in memory so that many passes over them are cheap.

    Args:
        cost: The cost of T candidates.
        positions: (m,) ascending rows to hold; m is a small multiple of the budget, whatever T is.
        known: Rows of the same cost that are in memory already, to be copied from.
    """

    def __init__(self, cost: BlockCost, positions: NDArray[np.int64], known: ActiveRows | None = None) -> None:
        self.device = cost.device
        self.positions = positions
        self.costs = torch.empty(len(positions), cost.n_targets, device=cost.device)
        self._fill(cost, known)
        self._block_size = cost.block_size

    def _fill(self, cost: BlockCost, known: ActiveRows | None) -> None:
        missing = np.arange(len(self.positions))
        if known is not None:
            _, places, sources = np.intersect1d(
                self.positions, known.positions, assume_unique=True, return_indices=True
            )
            self.costs[torch.as_tensor(places)] = known.costs[torch.as_tensor(sources)]
            missing = np.setdiff1d(missing, places, assume_unique=True)
        done = 0
        for rows, block in cost.blocks(self.positions[missing]):
            self.costs[torch.as_tensor(missing[done : done + len(rows)])] = block
            done += len(rows)

    def blocks(self) -> Iterator[tuple[NDArray[np.int64], torch.Tensor]]:
        """Streams over the rows.

        Yields:
            The positions of a block and a copy of its (b, V) costs.
        """
        for start in range(0, len(self.positions), self._block_size):
            chunk = slice(start, start + self._block_size)
            yield self.positions[chunk], self.costs[chunk].clone()
