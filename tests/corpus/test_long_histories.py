"""Very long sequences: bounded histories stay small, unbounded ones are refused before they are made."""

from __future__ import annotations

import pytest

from coresift.corpus.sampling import histories


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


@pytest.mark.parametrize("options", [{"samples": "all_prefixes"}, {"samples": "click", "negatives": 1}])
def test_histories_that_grow_with_every_interaction_are_cut_and_counted_where_no_length_was_asked_for(
    ingest_rows, monkeypatch, options
):
    monkeypatch.setattr(histories, "LONGEST_UNASKED", 10)
    log = one_long_user(40)
    whole = ingest_rows(log, split="leave_one_out", max_history=39, **options)
    cut = ingest_rows(log, split="leave_one_out", **options)
    n_cut = 0
    for sample, full in zip(cut.samples.to_pylist(), whole.samples.to_pylist(), strict=True):
        kept_whole = options["samples"] == "all_prefixes" and sample["split"] > 0
        longest = 39 if kept_whole else 10
        assert sample == {
            **full,
            "history": full["history"][-longest:],
            "history_ratings": full["history_ratings"][-longest:],
        }
        n_cut += len(full["history"]) > longest
    assert cut.report["cut_histories"] == n_cut > 0
    assert whole.report["cut_histories"] == 0
    assert any(f"{n_cut} histories were cut" in sentence for sentence in cut.report["warnings"])


def test_last_items_of_long_sequences_keep_their_whole_history(ingest_rows, monkeypatch):
    monkeypatch.setattr(histories, "LONGEST_UNASKED", 10)
    corpus = ingest_rows(one_long_user(40), split="leave_one_out")
    assert [len(history) for history in corpus.samples["history"].to_pylist()] == [37, 38, 39]
    assert corpus.report["cut_histories"] == 0
