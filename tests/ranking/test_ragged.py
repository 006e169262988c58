"""Lists of unequal length in Arrow."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from coresift.ranking import list_rows, padded_lists, remove_seen_targets

LISTS = pa.array([[9], [1, 2, 3], None, [], [4, 5]], pa.list_(pa.int32())).slice(1)


def test_rows_and_values_of_a_slice_with_null_lists() -> None:
    rows, values = list_rows(LISTS)
    assert rows.tolist() == [0, 0, 0, 3, 3]
    assert values.tolist() == [1, 2, 3, 4, 5]


def test_padding_is_left_and_keeps_the_last_values() -> None:
    assert padded_lists(LISTS, 2, padding=-7).tolist() == [[2, 3], [-7, -7], [-7, -7], [4, 5]]
    assert padded_lists(LISTS, 4, padding=0).tolist()[0] == [0, 1, 2, 3]


def test_seen_targets_leave_the_ground_truth_and_are_counted() -> None:
    targets = pa.array([[1, 9], [2], [3]], pa.list_(pa.int32()))
    remaining, removed = remove_seen_targets(targets, pa.array([[9, 5], [1], [3]], pa.list_(pa.int32())))
    assert remaining.to_pylist() == [[1], [2], []]
    assert removed == 2
    assert np.array_equal(list_rows(remaining)[1], [1, 2])
