"""Pairs of a source and a target, the arcs of a transport network, and sets of them."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]
Arcs: TypeAlias = tuple[NDArray[np.integer], NDArray[np.integer]]
"""Sources and targets of equal length."""

ARCS_PER_NODE = 8


def nearest_arcs(reduced: Floats) -> Arcs:
    """Return the smallest entries of every row and of every column."""
    n_rows, n_columns = reduced.shape
    per_row, per_column = arcs_per_row(reduced.shape), min(ARCS_PER_NODE, n_rows)
    columns = np.argpartition(reduced, per_row - 1, axis=1)[:, :per_row]
    rows = np.argpartition(reduced, per_column - 1, axis=0)[:per_column]
    from_rows = np.repeat(np.arange(n_rows), per_row), columns.ravel()
    from_columns = rows.T.ravel(), np.repeat(np.arange(n_columns), per_column)
    return union(from_rows, from_columns, n_columns)


def northwest_arcs(source: Floats, target: Floats) -> Arcs:
    """Pairs that certainly carry a feasible plan: both masses cut where either of them ends."""
    ends = np.union1d(np.cumsum(source), np.cumsum(target))
    middles = ends - 0.5 * np.diff(ends, prepend=0.0)
    rows = np.searchsorted(np.cumsum(source), middles).clip(max=len(source) - 1)
    columns = np.searchsorted(np.cumsum(target), middles).clip(max=len(target) - 1)
    return rows, columns


def arcs_per_row(shape: tuple[int, int]) -> int:
    """How many targets of a source are looked at first: more where there are more targets than sources."""
    return min(shape[1], ARCS_PER_NODE * (1 + shape[1] // shape[0]))


def smallest_places(values: Floats, count: int) -> Integers:
    """Positions of the smallest values, in any order."""
    if count >= len(values):
        return np.arange(len(values))
    return np.argpartition(values, count)[:count]


def union(first: Arcs, second: Arcs, n_columns: int) -> Arcs:
    """Return the arcs of both sets, each once, by source and target."""
    keys = np.concatenate([rows.astype(np.int64) * n_columns + columns for rows, columns in (first, second)])
    keys.sort()
    keys = keys[np.diff(keys, prepend=-1) > 0]
    return keys // n_columns, keys % n_columns


def concatenated(parts: list[Integers]) -> Integers:
    """Return the parts in one array, also where there are none."""
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)
