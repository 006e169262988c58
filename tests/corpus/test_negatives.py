"""Items that users have not met: unknown to them, distinct, uniform, a function of ids and seed."""

from __future__ import annotations

import ibis
import numpy as np
import pyarrow as pa
import pytest

from coresift.corpus.engines.duckdb_engine import open_duckdb
from coresift.corpus.sampling.negatives import drawn_items


def implicit_log() -> list[dict[str, object]]:
    return [
        {"user_id": user, "item_id": (user * 7 + step * 3) % 60, "timestamp": 10**12 + 100 * step + user}
        for user in range(20)
        for step in range(10)
    ]


def ingest_clicks(ingest_rows, **options):
    items = [{"item_id": item, "title": f"T{item}"} for item in range(60)]
    return ingest_rows(implicit_log(), items, samples="click", split="per_user_time", **options)


def test_every_impression_gets_items_that_its_user_has_not_met_up_to_its_split(ingest_rows):
    corpus = ingest_clicks(ingest_rows, negatives=3, min_history=2)
    met: dict[tuple[int, int], set[int]] = {}
    for row in corpus.interactions.to_pylist():
        for split in range(row["split"], 3):
            met.setdefault((row["user_id"], split), set()).add(row["item_id"])
    rows = corpus.samples.to_pylist()
    groups: dict[tuple, list[dict]] = {}
    for row in rows:
        groups.setdefault((row["user_id"], row["timestamp"]), []).append(row)
    assert [row["sample_id"] for row in rows] == list(range(len(rows)))
    for (user, _), group in groups.items():
        assert [row["label"] for row in group] == [1, 0, 0, 0]
        assert len({row["targets"][0] for row in group}) == 4
        assert not met[user, group[0]["split"]] & {row["targets"][0] for row in group[1:]}
        assert all(row["history"] == group[0]["history"] and row["split"] == group[0]["split"] for row in group)


def test_negatives_of_training_know_nothing_of_later_splits(ingest_rows):
    rows = implicit_log()
    later = [
        {**row, "item_id": (row["item_id"] + 31) % 60} if row["timestamp"] >= 10**12 + 800 else row for row in rows
    ]
    items = [{"item_id": item, "title": f"T{item}"} for item in range(60)]
    of_training = []
    for log in (rows, later):
        corpus = ingest_rows(log, items, samples="click", split="per_user_time", negatives=3)
        of_training.append([row for row in corpus.samples.to_pylist() if row["split"] == 0])
    assert of_training[0] == of_training[1]


def test_the_seed_decides(ingest_rows):
    first, again, other = (ingest_clicks(ingest_rows, negatives=1, seed=seed).samples for seed in (0, 0, 1))
    assert first.equals(again)
    assert not first.equals(other)


def test_without_ratings_clicks_need_negatives(ingest_rows):
    with pytest.raises(ValueError, match=r"or ingestion.negatives where there are none"):
        ingest_clicks(ingest_rows)


def test_draws_are_the_arithmetic_that_is_documented_and_uniform():
    users, positions = (grid.flatten() for grid in np.meshgrid(np.arange(400), np.arange(100)))
    ids = ibis.memtable(pa.table({"user": users, "position": positions, "draw": np.full(len(users), 2)}))
    with open_duckdb(threads=1) as engine:
        item = drawn_items(ids["user"], ids["position"], ids["draw"], seed=5, n_items=50)
        found = engine.connection.to_pyarrow(ids.mutate(item=item))
    prime = 2**31 - 1
    factors = (1_103_515_245, 1_597_334_677, 747_796_405, 1_732_050_807)
    for *ids_of_row, drawn in zip(*(found[name].to_pylist()[:200] for name in found.column_names), strict=True):
        mixed = sum(part * factor % prime for part, factor in zip((*ids_of_row, 5), factors, strict=True)) % prime
        assert drawn == pow(mixed, 5, prime) * 50 // prime
    counts = np.bincount(found["item"].to_numpy(), minlength=50)
    chi_square = ((counts - 800) ** 2 / 800).sum()
    assert 20 < chi_square < 90
