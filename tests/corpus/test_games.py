"""The published Games corpus: known counts."""

from __future__ import annotations

from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from coresift.corpus import Ingested, Source, ingest


@pytest.fixture(scope="module")
def games(games_folder: Path) -> Ingested:
    return ingest(
        Source("raw_interactions", path=str(games_folder / "interactions.parquet")),
        Source("raw_items", path=str(games_folder / "items.parquet")),
        Source.empty("raw_users"),
        threads=2,
    )


def test_counts_are_those_published(games):
    assert (games.users.num_rows, games.items.num_rows, games.interactions.num_rows) == (49_156, 17_332, 342_329)
    splits = games.report["splits"]
    assert {name: part["interactions"] for name, part in splits.items()} == {
        "train": 299_987,
        "valid": 22_609,
        "test": 19_733,
    }
    assert {name: part["samples"] for name, part in splits.items()} == {"train": 45_774, "valid": 9_609, "test": 8_696}
    assert games.report["cold_item_share_of_test"] == pytest.approx(5_650 / 19_733)
    assert games.rejected_rows.num_rows == 0


def test_published_ids_order_and_titles_are_kept(games, games_folder):
    raw = pq.read_table(games_folder / "interactions.parquet")
    for name in ("user_id", "item_id", "position"):
        assert games.interactions[name].equals(raw[name].cast(games.interactions[name].type))
    assert games.interactions["timestamp"].null_count == games.interactions.num_rows
    items = pq.read_table(games_folder / "items.parquet")
    assert games.items["title"].equals(items["title_clean"])


def test_histories_of_test_users_are_all_they_had_before(games):
    test = games.samples.filter(pc.equal(games.samples["split"], 2))
    earlier = games.interactions.filter(pc.less(games.interactions["split"], 2))
    of_test_users = earlier.filter(pc.is_in(earlier["user_id"], test["user_id"]))
    assert pc.list_flatten(test["history"]).equals(of_test_users["item_id"])
