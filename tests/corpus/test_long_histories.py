"""Very long sequences: bounded histories stay small, unbounded ones are refused before they are made."""

from __future__ import annotations

import pytest

from coresift.corpus import histories


def one_long_user(n_rows: int) -> list[dict[str, object]]:
    return [{"user_id": "u", "item_id": row, "timestamp": 10**12 + row} for row in range(n_rows)]


def test_bounded_histories_of_a_long_sequence(ingest_rows):
    corpus = ingest_rows(one_long_user(3000), samples="all_prefixes", max_history=7, split="leave_one_out")
    training = corpus.samples.to_pylist()[:-2]
    assert len(training) == 2997
    for sample in training:
        (target,) = sample["targets"]
        assert sample["history"] == list(range(max(0, target - 7), target))
    assert corpus.samples["history"][-1].as_py() == list(range(2999))


def test_users_can_be_collected_in_parts(ingest_rows, monkeypatch):
    rows = [{"user_id": row % 7, "item_id": row, "timestamp": 10**12 + row} for row in range(200)]
    whole, in_parts = [], []
    for at_once, tables in ((histories.ROWS_AT_ONCE, whole), (30, in_parts)):
        monkeypatch.setattr(histories, "ROWS_AT_ONCE", at_once)
        tables.append(ingest_rows(rows, samples="all_prefixes", max_history=4).samples)
    assert in_parts[0].equals(whole[0])


def test_unbounded_histories_that_grow_too_large_are_refused(ingest_rows, monkeypatch):
    monkeypatch.setattr(histories, "MOST_ENTRIES", 1000)
    with pytest.raises(ValueError, match=r"would hold .* items together: bound them with ingestion.max_history"):
        ingest_rows(one_long_user(100), samples="all_prefixes", split="leave_one_out")
