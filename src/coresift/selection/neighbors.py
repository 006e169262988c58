"""Nearest rows, exact, a block of distances at a time."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from coresift.compute import in_common_unit
from coresift.ranking import top_items_from
from coresift.transport import BlockCost


def nearest_rows(queries: NDArray, rows: NDArray, count: int, *, device: str) -> tuple[NDArray, NDArray]:
    """The nearest rows of every query.

    Args:
        queries: (Q, d).
        rows: (N, d).
        count: neighbours per query; all rows where there are fewer.
        device: "auto", "cpu", "cuda" or "mps".

    Returns:
        (Q, k) positions, nearest first and the lowest among equals, and their (Q, k) distances in float32,
        or float64 where float32 could not hold their squares.
    """
    (queries, rows), unit = in_common_unit(queries, rows)
    cost = BlockCost(queries, rows, distance_scale=1.0, device=device)

    def closeness(block: slice) -> torch.Tensor:
        return -next(cost.blocks(np.arange(block.start, block.stop)))[1]

    count = min(count, cost.n_targets)
    positions, negated = top_items_from(closeness, len(cost), count, block_size=cost.block_size)
    distances = -negated.numpy()
    return positions.numpy(), distances if unit == 1.0 else distances * np.float64(unit)


def nearest_others(rows: NDArray, count: int, *, device: str) -> tuple[NDArray, NDArray]:
    """The nearest other rows of every row.

    Args:
        rows: (N, d).
        count: neighbours per row; all others where there are fewer.
        device: "auto", "cpu", "cuda" or "mps".

    Returns:
        (N, k) positions and (N, k) distances as `nearest_rows` gives them.
    """
    positions, distances = nearest_rows(rows, rows, count + 1, device=device)
    is_other = positions != np.arange(len(rows))[:, None]
    # A row that copies of it crowd out of its own list has one neighbour too many.
    is_other[is_other.all(axis=1), -1] = False
    shape = (len(rows), positions.shape[1] - 1)
    return positions[is_other].reshape(shape), distances[is_other].reshape(shape)
