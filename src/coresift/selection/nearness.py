"""Nearest rows, targets that take turns, alignment of gradients, clusters: exact, a block at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from typing_extensions import Doc

from coresift.compute import in_common_unit, one_openmp_thread, resolve_device
from coresift.ranking import top_items_from
from coresift.selection.candidate_pool import CandidatePool
from coresift.selection.selector import both_sides
from coresift.transport import BlockCost, row_values


def nearest_rows(queries: NDArray, rows: NDArray, count: int, *, device: str) -> tuple[NDArray, NDArray]:
    """Return the nearest rows of every query.

    Args:
        queries: (Q, d).
        rows: (N, d).
        count: Neighbors per query; all rows where there are fewer.
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
    """Return the nearest other rows of every row.

    Args:
        rows: (N, d).
        count: Neighbors per row; all others where there are fewer.
        device: "auto", "cpu", "cuda" or "mps".

    Returns:
        (N, k) positions and (N, k) distances as `nearest_rows` gives them.
    """
    positions, distances = nearest_rows(rows, rows, count + 1, device=device)
    is_other = positions != np.arange(len(rows))[:, None]
    # A row that copies of it crowd out of its own list has one neighbor too many.
    is_other[is_other.all(axis=1), -1] = False
    shape = (len(rows), positions.shape[1] - 1)
    return positions[is_other].reshape(shape), distances[is_other].reshape(shape)


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
        closeness: The closeness of some targets to all candidates.
        n_targets: How many targets there are.
        n_rows: How many candidates there are, T.
        budget: How many candidates to choose, at most T.
        random_state: Seed of the order of the targets.

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
        """Take the closest candidate that is left, and return it with its closeness."""
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


SubtasksOption: TypeAlias = Annotated[
    Literal["sample", "label"], Doc("Each validation sample for itself, or the mean of each class.")
]


def unit_rows(rows: NDArray) -> NDArray:
    """Rows divided by their lengths, float32; a row of zeros stays one."""
    (rows,), _ = in_common_unit(rows)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)


def subtask_inputs(subtasks: str) -> tuple[str, ...]:
    """Return what of a pool the subtasks of gradients are made of."""
    return both_sides("gradient_feature") + (("validation_label",) if subtasks == "label" else ())


def subtask_targets(pool: CandidatePool, validation: NDArray, subtasks: str) -> NDArray:
    """Return the gradient of every subtask of the validation samples.

    Args:
        pool: The candidates with the labels of the validation samples, where these are asked for.
        validation: (V, k) gradients of the validation samples.
        subtasks: "sample" (each validation sample for itself) or "label" (the mean of each class).

    Returns:
        (S, k) one row per subtask.

    Raises:
        MissingInputError: If the labels are asked for and missing.
    """
    if subtasks == "sample":
        return validation
    label = pool.require("validation_label")
    return np.stack([validation[label == one].mean(axis=0) for one in np.unique(label)])


def largest_alignment(rows: NDArray, targets: NDArray, *, device: str) -> NDArray[np.float64]:
    """Return the largest inner product of every row with a target, a block of rows at a time.

    Args:
        rows: (T, k).
        targets: (S, k).
        device: "auto", "cpu", "cuda" or "mps".

    Returns:
        (T,) alignments.
    """
    place = resolve_device(device)
    transposed = torch.as_tensor(targets, dtype=torch.float32, device=place).T
    features, positions = torch.as_tensor(rows, dtype=torch.float32), np.arange(len(rows))
    size = max(1, CELLS_PER_BLOCK // len(targets))
    chunks = [slice(start, start + size) for start in range(0, len(rows), size)]
    blocks = ((positions[chunk], features[chunk]) for chunk in chunks)
    return row_values(blocks, len(rows), lambda block: (block.to(place) @ transposed).amax(dim=1))


def cluster_rows(rows: NDArray, n_clusters: int, random_state: int) -> KMeans:
    """Fits k-means once, to at most as many clusters as there are different rows.

    Args:
        rows: (N, d).
        n_clusters: How many clusters.
        random_state: Seed of the start.

    Returns:
        The fitted model; `labels_` (N,) says which row belongs where.
    """
    distinct = len(np.unique(rows[: 4 * n_clusters], axis=0))
    if distinct < n_clusters:
        distinct = len(np.unique(rows, axis=0))
    with one_openmp_thread():
        return KMeans(min(n_clusters, distinct), n_init=1, random_state=random_state).fit(rows)
