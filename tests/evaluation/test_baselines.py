"""Baselines by hand, and against figures measured by others on the Games corpus."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from evaluation_cases import IDS, interactions

from coresift.evaluation import item_knn, most_popular, popular_recently, ranking_metrics

LOG = interactions([(0, 0, 0), (0, 1, 0), (1, 0, 0), (1, 1, 0), (1, 2, 0), (2, 2, 0), (0, 3, 1), (1, 3, 1), (2, 0, 1)])


def test_popularity_counts_training_rows_only() -> None:
    ids, counts = most_popular(LOG, n_items=5, n_users=2, k=4)
    assert ids.tolist() == [[0, 1, 2, 3]] * 2
    assert counts[0].tolist() == [2, 2, 2, 0]


def test_recent_popularity_counts_validation_rows_only() -> None:
    ids, counts = popular_recently(LOG, n_items=5, n_users=1, k=3, seen=pa.array([[0]], IDS))
    assert ids.tolist() == [[3, 1, 2]]
    assert counts.tolist() == [[2, 0, 0]]


def test_item_neighbors_are_cosines_of_baskets() -> None:
    ids, scores = item_knn(LOG, 5, pa.array([[0], [2]], IDS), 3)
    assert ids[0, :2].tolist() == [1, 2]
    assert scores[0, :2].tolist() == pytest.approx([1.0, 0.5])
    assert scores[1, :2].tolist() == pytest.approx([0.5, 0.5])


def test_only_the_latest_items_vote() -> None:
    histories = pa.array([[0, 2, 4]], IDS)
    _, all_scores = item_knn(LOG, 5, histories, 1, history_length=3)
    _, latest = item_knn(LOG, 5, histories, 1, history_length=1)
    assert float(all_scores[0, 0]) > 0
    assert float(latest[0, 0]) == 0


@pytest.fixture(scope="module")
def games(games_folder: Path) -> tuple[pa.Table, pa.ListArray, pa.ListArray]:
    """Interactions with numbered splits, and history and targets of every test user."""
    table = pq.read_table(games_folder / "interactions.parquet").sort_by(
        [("user_id", "ascending"), ("position", "ascending")]
    )
    split = pc.index_in(table["split"].cast(pa.string()), pa.array(["train", "valid", "test"])).cast(pa.int8())
    table = table.set_column(table.column_names.index("split"), "split", split)
    tested = pc.is_in(table["user_id"], table.filter(pc.equal(split, 2))["user_id"].unique())
    parts = [table.filter(pc.and_(tested, pc.equal(pc.equal(split, 2), last))) for last in (False, True)]
    return table, *(_lists(part) for part in parts)


def _lists(table: pa.Table) -> pa.ListArray:
    _, counts = np.unique(table["user_id"], return_counts=True)
    offsets = pa.array(np.concatenate([[0], np.cumsum(counts)]), pa.int32())
    return pa.ListArray.from_arrays(offsets, table["item_id"].combine_chunks())


def figures(lists: tuple, targets: pa.ListArray) -> list[float]:
    metrics = ranking_metrics(lists[0], targets, ks=(10, 20))
    return [round(float(metrics[name].mean()), 4) for name in ("recall@10", "recall@20", "ndcg@10", "ndcg@20")]


@pytest.mark.parametrize(
    ("baseline", "with_mask", "without_mask"),
    [
        (most_popular, [0.0068, 0.0104, 0.0040, 0.0050], [0.0068, 0.0104, 0.0039, 0.0050]),
        (popular_recently, [0.0226, 0.0400, 0.0141, 0.0194], [0.0223, 0.0397, 0.0139, 0.0193]),
    ],
)
def test_known_figures_of_games(baseline, with_mask: list[float], without_mask: list[float], games: tuple) -> None:
    table, histories, targets = games
    assert len(targets) == 8_696
    assert figures(baseline(table, 17_332, len(targets), 20, seen=histories), targets) == with_mask
    assert figures(baseline(table, 17_332, len(targets), 20), targets) == without_mask


def test_item_neighbors_on_games_are_within_one_user_of_the_known_figure(games: tuple) -> None:
    table, histories, targets = games
    measured = figures(item_knn(table, 17_332, histories, 20, seen=histories), targets)
    assert measured == pytest.approx([0.0128, 0.0211, 0.0084, 0.0110], abs=1.01e-4)
