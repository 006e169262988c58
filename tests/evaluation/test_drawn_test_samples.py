"""A random part of the test samples."""

from __future__ import annotations

from evaluation_cases import samples

from coresift.evaluation import draw_test_samples

SPLITS = [0, 1, 2] * 20
TABLE = samples([[0]] * 60, [[1]] * 60, splits=SPLITS)


def test_only_test_samples_are_drawn_and_always_the_same() -> None:
    drawn = draw_test_samples(TABLE, 7, random_state=3)
    assert [drawn["split"].to_pylist().count(split) for split in (0, 1, 2)] == [20, 20, 7]
    assert drawn["sample_id"].to_pylist() == sorted(drawn["sample_id"].to_pylist())
    assert drawn.equals(draw_test_samples(TABLE, 7, random_state=3))
    assert not drawn.equals(draw_test_samples(TABLE, 7, random_state=4))


def test_all_stay_where_there_are_not_more() -> None:
    assert draw_test_samples(TABLE, 0) is TABLE
    assert draw_test_samples(TABLE, 20) is TABLE
