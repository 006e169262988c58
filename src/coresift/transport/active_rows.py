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
        """Yields positions and their (b, V) costs, which the receiver may overwrite."""


class ActiveRows:
    """Some rows of a cost, held in memory so that many passes over them are cheap.

    Args:
        cost: the cost of T candidates.
        positions: (m,) rows to hold; m is a small multiple of the budget, whatever T is.
    """

    def __init__(self, cost: BlockCost, positions: NDArray[np.int64]) -> None:
        self.device = cost.device
        self.positions = positions
        self.costs = torch.cat([block for _, block in cost.blocks(positions)])
        self._block_size = cost.block_size

    def blocks(self) -> Iterator[tuple[NDArray[np.int64], torch.Tensor]]:
        """Streams over the rows.

        Yields:
            The positions of a block and a copy of its (b, V) costs.
        """
        for start in range(0, len(self.positions), self._block_size):
            chunk = slice(start, start + self._block_size)
            yield self.positions[chunk], self.costs[chunk].clone()
