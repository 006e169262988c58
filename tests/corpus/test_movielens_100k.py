"""MovieLens 100K as published: known counts, accents, profiles, clicks."""

from __future__ import annotations

from pathlib import Path

import pyarrow.compute as pc
import pytest

from coresift.corpus import Ingested, Source, ingest


def sources(folder: Path) -> list[Source]:
    return [
        Source(f"raw_{part}", path=str(folder), format="movielens", part=part)
        for part in ("interactions", "items", "users")
    ]


@pytest.fixture(scope="module")
def clicks(movielens_folder: Path) -> Ingested:
    return ingest(*sources(movielens_folder), split="per_user_time", samples="click", max_history=10, threads=2)


def test_counts_are_those_published(clicks):
    assert (clicks.interactions.num_rows, clicks.users.num_rows, clicks.items.num_rows) == (100_000, 943, 1_682)
    assert clicks.rejected_rows.num_rows == 0
    assert pc.sum(pc.greater_equal(clicks.interactions["rating"], 4)).as_py() == 55_375


def test_titles_keep_their_accents_and_ids_their_order(clicks):
    assert clicks.items["raw_id"].to_pylist() == [str(item) for item in range(1, 1_683)]
    assert {"Misérables, Les (1995)", "Boys, Les (1997)"} < set(clicks.items["title"].to_pylist())
    assert clicks.items["categories"][0].as_py() == ["Animation", "Children's", "Comedy"]


def test_users_carry_their_profiles(clicks):
    assert clicks.users.slice(0, 1).to_pylist() == [
        {"user_id": 0, "raw_id": "1", "age": "24", "gender": "M", "occupation": "technician", "zip_code": "85711"}
    ]


def test_every_rating_after_the_first_is_a_click_sample(clicks):
    splits = clicks.report["splits"]
    assert splits["train"]["samples"] == splits["train"]["interactions"] - 943
    for name in ("valid", "test"):
        assert splits[name]["samples"] == splits[name]["interactions"]
        assert splits[name]["users"] == 943
    assert splits["test"]["interactions"] == sum(
        count // 10 for count in pc.value_counts(clicks.interactions["user_id"]).field("counts").to_pylist()
    )


def test_the_clock_can_split_all_users_at_once(movielens_folder):
    corpus = ingest(*sources(movielens_folder), samples="click", min_history=5, max_history=10)
    assert corpus.report["split"] == "global_time"
    assert corpus.report["splits"]["test"]["samples"] == 10_000
    test = corpus.interactions.filter(pc.equal(corpus.interactions["split"], 2))
    train = corpus.interactions.filter(pc.equal(corpus.interactions["split"], 0))
    assert pc.max(train["timestamp"]).as_py() <= pc.min(test["timestamp"]).as_py()
