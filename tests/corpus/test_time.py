"""Moments: a window of time, and splits cut at given dates."""

from __future__ import annotations

import pytest

DAY = 86_400_000


def daily(n_days: int = 10) -> list[dict[str, object]]:
    """One interaction of each of two users per day, from the first day of 1970 on."""
    return [
        {"user_id": user, "item_id": day, "timestamp": day * DAY + user} for day in range(n_days) for user in (1, 2)
    ]


def test_a_window_keeps_its_first_moment_and_not_its_last(ingest_rows):
    corpus = ingest_rows(
        daily(), from_time="1970-01-03", until_time="1970-01-08T00:00:00", split="leave_one_out", timestamp_unit="ms"
    )
    assert sorted({row // DAY for row in corpus.interactions["timestamp"].to_pylist()}) == [2, 3, 4, 5, 6]
    assert corpus.report["rows"]["in_time_window"] == 10


def test_splits_are_cut_at_given_moments(ingest_rows):
    corpus = ingest_rows(
        daily(), split="temporal_cutoff", valid_from="1970-01-06", test_from="1970-01-09", timestamp_unit="ms"
    )
    by_split: dict[int, set[int]] = {}
    for row in corpus.interactions.to_pylist():
        by_split.setdefault(row["split"], set()).add(row["timestamp"] // DAY)
    assert by_split == {0: {0, 1, 2, 3, 4}, 1: {5, 6, 7}, 2: {8, 9}}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "temporal_cutoff"}, "needs ingestion.valid_from and ingestion.test_from"),
        ({"split": "temporal_cutoff", "valid_from": "1970-01-09", "test_from": "1970-01-06"}, "a later ingestion.test"),
        ({"from_time": "yesterday"}, "'yesterday' is no time: write it as"),
    ],
)
def test_moments_that_make_no_sense_are_named(ingest_rows, options, message):
    with pytest.raises(ValueError, match=message):
        ingest_rows(daily(), **options)


def test_positions_have_no_time(ingest_rows):
    rows = [{"user_id": 1, "item_id": place, "position": place} for place in range(5)]
    with pytest.raises(ValueError, match=r"ingestion.from_time and until_time need: set them to null"):
        ingest_rows(rows, from_time="1970-01-01", split="leave_one_out")


SECONDS = [1_500_000_000, 1_500_000_100, 1_500_000_200, 1_500_000_300]


@pytest.mark.parametrize("as_text", [False, True])
def test_a_time_of_another_unit_is_set_apart_and_changes_no_other(ingest_rows, as_text):
    times = [*SECONDS, 1_500_000_400_000]
    rows = [
        {"user_id": 1, "item_id": item, "timestamp": str(time) if as_text else time} for item, time in enumerate(times)
    ]
    corpus = ingest_rows(rows, split="leave_one_out")
    assert corpus.report["timestamp_unit"] == "s"
    assert corpus.interactions["timestamp"].to_pylist() == [time * 1000 for time in SECONDS]
    rejected = {"source": "raw_interactions", "row": 4, "reason": "unreadable timestamp"}
    assert corpus.rejected_rows.to_pylist() == [rejected]


def test_seconds_among_milliseconds_are_set_apart(ingest_rows):
    times = [*(time * 1000 for time in SECONDS), 1_500_000_400, 0]
    rows = [{"user_id": 1, "item_id": item, "timestamp": time} for item, time in enumerate(times)]
    corpus = ingest_rows(rows, split="leave_one_out")
    assert corpus.report["timestamp_unit"] == "ms"
    assert corpus.interactions["timestamp"].to_pylist() == times[:4]
    assert corpus.rejected_rows["row"].to_pylist() == [4, 5]


def test_a_unit_that_was_asked_for_doubts_no_time(ingest_rows):
    rows = [{"user_id": 1, "item_id": item, "timestamp": time} for item, time in enumerate([-5, 0, *SECONDS])]
    corpus = ingest_rows(rows, split="leave_one_out", timestamp_unit="ms")
    assert corpus.interactions["timestamp"].to_pylist() == [-5, 0, *SECONDS]
