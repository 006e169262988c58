"""Lists of unequal length: item lists per user as Arrow offsets and values, without Python loops."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Lists: TypeAlias = pa.ListArray | pa.ChunkedArray


def list_lengths(lists: Lists) -> NDArray[np.int64]:
    """Return the length of every list; a null list counts as empty."""
    return np.asarray(pc.fill_null(pc.list_value_length(lists), 0), dtype=np.int64)


def list_rows(lists: Lists) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Flatten lists into pairs (row, value), in order.

    Args:
        lists: An Arrow list array (slices, chunks and null lists are understood).

    Returns:
        The row of every value and the values, both int64 and of the same length.
    """
    rows = np.repeat(np.arange(len(lists)), list_lengths(lists))
    return rows, np.asarray(pc.list_flatten(lists), dtype=np.int64)


def lists_from_rows(rows: NDArray[np.int64], values: NDArray[np.int64], n_rows: int) -> pa.ListArray:
    """Build lists of int32 from pairs (row, value) whose rows ascend; rows without a pair become empty lists."""
    offsets = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n_rows))])
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(values, pa.int32()))


def padded_lists(lists: Lists, width: int, *, padding: int) -> NDArray[np.int64]:
    """Return the last `width` values of every list as a matrix, padded on the left.

    Args:
        lists: N lists of integers.
        width: Number of columns.
        padding: The value of the cells before a shorter list.

    Returns:
        An (N, width) int64 matrix whose last column holds the last value of every non-empty list.
    """
    rows, values = list_rows(lists)
    lengths = list_lengths(lists)
    from_the_end = (np.cumsum(lengths)[rows] - 1) - np.arange(len(rows))
    kept = from_the_end < width
    matrix = np.full((len(lists), width), padding, dtype=np.int64)
    matrix[rows[kept], width - 1 - from_the_end[kept]] = values[kept]
    return matrix


def remove_seen_targets(targets: Lists, seen: Lists) -> tuple[pa.ListArray, int]:
    """Take targets out of the ground truth that a user has already seen, since a masked list can never hold them.

    Args:
        targets: The ground truth of U users.
        seen: The history of the same users.

    Returns:
        The remaining targets (possibly empty lists) and how many were removed.
    """
    (target_rows, target_values), (seen_rows, seen_values) = list_rows(targets), list_rows(seen)
    width = max(target_values.max(initial=0), seen_values.max(initial=0)) + 1
    fresh = ~np.isin(target_rows * width + target_values, seen_rows * width + seen_values)
    return lists_from_rows(target_rows[fresh], target_values[fresh], len(targets)), int((~fresh).sum())
