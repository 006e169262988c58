"""Metrics of slices, beside plain counting."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from evaluation_cases import interactions, noisy_rankings, samples

from coresift.evaluation import evaluate_slices

N_USERS = 30


@pytest.fixture(scope="module")
def world() -> tuple[pa.Table, pa.Table, pa.Table]:
    generator = np.random.default_rng(2)
    drawn = [generator.permutation(80) for _ in range(N_USERS)]
    histories = [items[: 1 + user % 6].tolist() for user, items in enumerate(drawn)]
    users = samples(histories, [items[70:73].tolist() for items in drawn])
    log = interactions([(0, item, 0) for item in range(80) for _ in range(item % 10)] + [(1, 0, 1)] * 20)
    return users, noisy_rankings(users), log


def by_hand(users: pa.Table, rankings: pa.Table, method: str, keep) -> list[float]:
    lists = {
        row["sample_id"]: row["items"] for row in rankings.to_pylist() if row["method"] == method and row["masked"]
    }
    found = []
    for row in users.to_pylist():
        targets = {item for item in row["targets"] if keep(row, item)}
        if targets:
            found.append(len(targets & set(lists[row["sample_id"]][:10])) / len(targets))
    return found


def test_slices_are_means_over_their_users(world) -> None:
    users, rankings, log = world
    entries = evaluate_slices(rankings, users, log, cold_below=4, n_resamples=50)
    groups = [(entry["slice"], entry["group"]) for entry in entries if entry["method"] == "tuned"]
    assert groups == [
        ("activity", "history of 1 to 3"),
        ("activity", "history of 4 to 5"),
        ("activity", "history of 6"),
        ("items", "cold, below 4"),
        ("items", "warm, from 4"),
    ]
    keeps = {
        "cold, below 4": lambda row, item: item % 10 < 4,
        "warm, from 4": lambda row, item: item % 10 >= 4,
    }
    for entry in entries:
        if entry["slice"] == "activity":
            ends = [int(part) for part in entry["group"].removeprefix("history of ").split(" to ")]
            keep = lambda row, item, ends=ends: ends[0] <= len(row["history"]) <= ends[-1]  # noqa: E731
        else:
            keep = keeps[entry["group"]]
        expected = by_hand(users, rankings, entry["method"], keep)
        assert entry["users"] == len(expected)
        assert entry["recall@10"]["mean"] == pytest.approx(np.mean(expected))
        assert entry["recall@10"]["low"] <= entry["recall@10"]["mean"] <= entry["recall@10"]["high"]


def test_every_user_is_in_one_activity_group(world) -> None:
    users, rankings, log = world
    entries = [entry for entry in evaluate_slices(rankings, users, log, n_resamples=20) if entry["method"] == "tuned"]
    assert sum(entry["users"] for entry in entries if entry["slice"] == "activity") == N_USERS


def test_equal_histories_make_one_group(world) -> None:
    _, _, log = world
    users = samples([[1, 2]] * 4, [[5], [6], [7], [8]])
    entries = evaluate_slices(noisy_rankings(users), users, log, n_resamples=20)
    assert {entry["group"] for entry in entries if entry["slice"] == "activity"} == {"history of 2"}
