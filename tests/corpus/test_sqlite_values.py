"""SQLite keeps any value in any column: columns are read by what they hold, and one odd value costs its row at most."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pyarrow as pa
import pytest

from coresift.corpus import Ingested, Source, ingest

ITEMS = Source("raw_items", table=pa.table({"item_id": range(10), "title": [f"T{item}" for item in range(10)]}))
ROWS = [(user, item, 1_600_000_000 + 100 * user + item, 4) for user in range(4) for item in range(5)]
DECLARED = "user_id INTEGER, item_id INTEGER, timestamp INTEGER, rating REAL"


def read(folder: Path, rows: list[tuple], declared: str = DECLARED, items: Source = ITEMS) -> Ingested:
    with sqlite3.connect(folder / "shop.db") as connection:
        connection.execute(f'CREATE TABLE "my ""log" ({declared})')
        connection.executemany(f'INSERT INTO "my ""log" VALUES ({", ".join("?" * len(rows[0]))})', rows)
    log = Source("raw_interactions", path=f"sqlite:///{folder}/shop.db", format="database", database_table='my "log')
    return ingest(log, items, Source.empty("raw_users"), split="leave_one_out", max_rejected_share=0.3, threads=1)


@pytest.mark.parametrize("declared", ["INTEGER", "TIMESTAMP", "DATETIME", "DATE", "TEXT", "BOOLEAN", "NUMERIC", ""])
@pytest.mark.parametrize("scale", [1, 1000, 1_000_000])
def test_epochs_are_read_whatever_their_column_is_declared_as(tmp_path, declared, scale):
    rows = [(user, item, time * scale) for user, item, time, _ in ROWS]
    corpus = read(tmp_path, rows, f"user_id, item_id, timestamp {declared}")
    assert corpus.interactions["timestamp"].to_pylist() == [time * 1000 for _, _, time, _ in ROWS]


def test_epochs_and_written_times_may_share_a_column(tmp_path):
    rows = [(*row[:2], "2020-09-13 12:26:40" if row[2] == 1_600_000_000 else row[2]) for row in ROWS]
    corpus = read(tmp_path, rows, "user_id, item_id, timestamp TIMESTAMP")
    assert corpus.interactions["timestamp"].to_pylist() == [time * 1000 for _, _, time, _ in ROWS]


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        (0, None, "missing user_id"),
        (0, b"\xff\x00", "unreadable user_id"),
        (1, "oops", "unknown item_id"),
        (1, "NULL", "missing item_id"),
        (1, 1.5, "fractional item_id"),
        (2, "soon", "unreadable timestamp"),
        (2, b"\xff", "unreadable timestamp"),
        (2, None, "missing timestamp"),
        (3, "good", "unreadable rating"),
        (3, b"\xff", "unreadable rating"),
    ],
)
def test_one_odd_value_costs_its_row_and_no_other(tmp_path, column, value, reason):
    odd = list(ROWS[7])
    odd[column] = value
    corpus = read(tmp_path, [*ROWS[:7], tuple(odd), *ROWS[8:]])
    assert corpus.rejected_rows.to_pylist() == [{"source": "raw_interactions", "row": 7, "reason": reason}]
    assert corpus.interactions.num_rows == len(ROWS) - 1
    assert corpus.users["raw_id"].to_pylist() == ["0", "1", "2", "3"]


def test_text_and_bytes_that_hold_a_value_are_that_value(tmp_path):
    whole = read(tmp_path, ROWS)
    mixed = [
        (str(user), item, time, rating) if item % 2 else (user, float(item), str(time).encode(), "4")
        for user, item, time, rating in ROWS
    ]
    folder = tmp_path / "mixed"
    folder.mkdir()
    corpus = read(folder, mixed, "user_id, item_id, timestamp, rating")
    for name in ("interactions", "users", "samples"):
        assert getattr(corpus, name).equals(getattr(whole, name)), name


def test_odd_titles_cost_their_item(tmp_path):
    with sqlite3.connect(tmp_path / "items.db") as connection:
        connection.execute("CREATE TABLE items (item_id INTEGER, title TEXT)")
        titles = [*((item, f"T{item}") for item in range(5)), (5, 1984), (6, b"Caf\xc3\xa9"), (7, b"\xff\xd8")]
        connection.executemany("INSERT INTO items VALUES (?, ?)", titles)
        connection.execute("UPDATE items SET title = CAST(x'4f6ee9' AS TEXT) WHERE item_id = 0")
    items = Source("raw_items", path=f"sqlite:///{tmp_path}/items.db", format="database", database_table="items")
    corpus = read(tmp_path, ROWS, items=items)
    assert corpus.items["title"].to_pylist() == ["Oné", "T1", "T2", "T3", "T4", "1984", "Café"]
    assert corpus.report["rejected"]["raw_items"] == {"unreadable title": 1}


def test_a_column_of_bytes_that_nothing_reads_costs_nothing(tmp_path):
    rows = [(*row, b"\xff\xd8") for row in ROWS]
    assert read(tmp_path, rows, f"{DECLARED}, picture BLOB").interactions.num_rows == len(ROWS)


def test_wide_integers_stay_exact_beside_other_numbers(tmp_path):
    rows = [(10**18 + user if user else 7.0, *rest) for user, *rest in ROWS]
    corpus = read(tmp_path, rows, "user_id, item_id, timestamp, rating")
    assert sorted(corpus.users["raw_id"].to_pylist()) == [
        "1000000000000000001",
        "1000000000000000002",
        "1000000000000000003",
        "7",
    ]
