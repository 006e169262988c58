"""Splits and samples against a plain reading of their definitions."""

from __future__ import annotations

import random

import pytest

from coresift.storage import TEST, TRAIN, VALID


def random_log(seed: int, *, timed: bool = True, given: bool = False) -> list[dict[str, object]]:
    """Make interactions of 12 users with ties in time, gaps in positions and rows out of order."""
    draw = random.Random(seed)
    rows: list[dict[str, object]] = []
    for user in range(12):
        for item in draw.sample(range(30), draw.randint(1, 25)):
            row = {"user_id": user, "item_id": item, "rating": draw.choice([1.0, 4.0, None])}
            row.update(
                {"timestamp": draw.randrange(10**12, 10**12 + 60)} if timed else {"position": draw.randrange(99)}
            )
            rows.append({**row, **({"split": draw.choice(["train", "train", "valid", "test"])} if given else {})})
    draw.shuffle(rows)
    return rows


def expected_splits(rows: list[dict[str, object]], method: str) -> dict[tuple[object, object], int]:
    key = "timestamp" if "timestamp" in rows[0] else "position"
    order = sorted(range(len(rows)), key=lambda row: (rows[row][key], row))
    splits: dict[tuple[object, object], int] = {}
    groups: dict[object, list[int]] = {}
    for row in order:
        groups.setdefault(None if method == "global_time" else rows[row]["user_id"], []).append(row)
    for members in groups.values():
        n_rows = len(members)
        n_held = n_rows // 10 if method == "global_time" else max(1, n_rows // 10) if method == "per_user_time" else 1
        for rank, row in enumerate(members):
            split = TEST if rank >= n_rows - n_held else VALID if rank >= n_rows - 2 * n_held else TRAIN
            if method == "given":
                split = ["train", "valid", "test"].index(str(rows[row]["split"]))
            elif method != "global_time" and n_rows < 3:
                split = TRAIN
            splits[rows[row]["user_id"], rows[row]["item_id"]] = split
    return splits


def expected_samples(sequence, kind, min_history, max_history):
    """Return {(split, targets): (history, ratings)} of one user's (item, rating, split) in order."""
    samples = {}
    train = [(item, rating) for item, rating, split in sequence if split == TRAIN]
    for end in range(len(train)):
        wanted = kind == "all_prefixes" or end == len(train) - 1 or (kind == "sliding_window" and end >= max_history)
        if wanted and end >= min_history:
            history = train[:end][-max_history:] if max_history else train[:end]
            samples[TRAIN, (train[end][0],)] = history
    for held_out in (VALID, TEST):
        places = [place for place, entry in enumerate(sequence) if entry[2] == held_out]
        if places:
            known = [(item, rating) for item, rating, split in sequence[: places[0]] if split < held_out]
            samples[held_out, tuple(sequence[place][0] for place in places)] = known
    return samples


@pytest.mark.parametrize(
    ("method", "kind", "min_history", "max_history"),
    [
        ("global_time", "last", 1, 3),
        ("global_time", "all_prefixes", 0, 2),
        ("per_user_time", "last", 0, 0),
        ("per_user_time", "sliding_window", 2, 4),
        ("leave_one_out", "sliding_window", 1, 3),
        ("given", "all_prefixes", 1, 0),
        ("given", "last", 0, 2),
    ],
)
def test_splits_and_samples_follow_their_definitions(ingest_rows, method, kind, min_history, max_history):
    rows = random_log(seed=max_history, given=method == "given", timed=method == "global_time" or max_history > 3)
    corpus = ingest_rows(rows, split=method, samples=kind, min_history=min_history, max_history=max_history)
    raw_item = corpus.items["raw_id"].to_pylist()
    splits = expected_splits(rows, method)
    sequences: dict[int, list[tuple[object, object, int]]] = {}
    for row in corpus.interactions.to_pylist():
        item = int(raw_item[row["item_id"]])
        assert row["split"] == splits[int(corpus.users["raw_id"][row["user_id"]].as_py()), item]
        sequences.setdefault(row["user_id"], []).append((row["item_id"], row["rating"], row["split"]))
    found = {
        (row["user_id"], row["split"], tuple(row["targets"])): list(
            zip(row["history"], row["history_ratings"], strict=True)
        )
        for row in corpus.samples.to_pylist()
    }
    expected = {
        (user, *key): history
        for user, sequence in sequences.items()
        for key, history in expected_samples(sequence, kind, min_history, max_history).items()
    }
    assert found == expected


def test_samples_are_ordered_by_split_user_and_time(ingest_rows):
    corpus = ingest_rows(random_log(1), samples="all_prefixes")
    rows = corpus.samples.to_pylist()
    assert [row["sample_id"] for row in rows] == list(range(len(rows)))
    keys = [(row["split"], row["user_id"], row["timestamp"]) for row in rows]
    assert keys == sorted(keys)
    assert {row["label"] for row in rows} == {1}


def test_a_user_without_earlier_interactions_keeps_a_test_sample(ingest_rows, sequences):
    rows = sequences({"old": list(range(18)), "new": [1, 2]})
    for row in rows[-2:]:
        row["user_id"] = "late"
    corpus = ingest_rows(rows)
    empty = [row for row in corpus.samples.to_pylist() if not row["history"]]
    assert [(row["split"], len(row["targets"])) for row in empty] == [(TEST, 2)]


def test_auto_prefers_the_split_that_came_with_the_data(ingest_rows):
    assert ingest_rows(random_log(0, given=True)).report["split"] == "given"
    assert ingest_rows(random_log(0)).report["split"] == "global_time"


def test_the_report_counts_splits_histories_and_cold_items(ingest_rows, sequences):
    rows = [{**row, "split": split} for row, split in zip(sequences({"u": [1, 2, 3, 4, 5]})[:5], _SPLITS, strict=True)]
    report = ingest_rows(rows).report
    assert report["splits"]["train"] == {
        "users": 1,
        "items": 2,
        "interactions": 2,
        "samples": 1,
        "positive_samples": 1,
        "history_length": {"mean": 1.0, "median": 1.0, "max": 1},
    }
    assert report["splits"]["test"]["history_length"] == {"mean": 3.0, "median": 3.0, "max": 3}
    assert report["cold_item_share_of_test"] == 1.0


_SPLITS = ["train", "train", "valid", "test", "test"]


def test_splits_that_interleave_leave_histories_without_later_ones(ingest_rows):
    splits = ["train", "test", "train", "valid", "train", "test", "valid"]
    rows = [
        {"user_id": 1, "item_id": place, "timestamp": 10**12 + place, "split": split}
        for place, split in enumerate(splits)
    ]
    found = {row["split"]: (row["targets"], row["history"]) for row in ingest_rows(rows).samples.to_pylist()}
    assert found == {TRAIN: ([4], [0, 2]), VALID: ([3, 6], [0, 2]), TEST: ([1, 5], [0])}
