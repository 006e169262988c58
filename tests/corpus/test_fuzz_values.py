"""Random spellings of ids and times in every format: the corpus is that of the plain spelling.

The search lasts as many seconds as ``CORESIFT_FUZZ_SECONDS`` says; ``make fuzz`` gives it ten minutes.
"""

from __future__ import annotations

import csv
import datetime as dt
import itertools
import json
import os
import random
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from coresift.corpus import Ingested, Source, ingest

SECONDS = float(os.environ.get("CORESIFT_FUZZ_SECONDS", "20"))
N_ROWS = 80
ITEMS = Source("raw_items", table=pa.table({"item_id": range(20), "title": [f"T{item}" for item in range(20)]}))
NOTHING = ["", "None", "<NA>", "NULL", "null", "NaT", "nan", "NaN", "\\N", "N/A", " "]
ID_SPELLINGS: list[Callable[[int], str]] = [str, "{}.0".format, "{}.00".format, " {} ".format, "{}.000000".format]
TIME_SPELLINGS: list[Callable[[dt.datetime], str]] = [
    lambda when: str(int(when.timestamp())),
    lambda when: f"{int(when.timestamp())}.0",
    lambda when: when.isoformat(),
    lambda when: when.strftime("%Y-%m-%dT%H:%M:%SZ"),
    lambda when: when.strftime("%Y-%m-%d %H:%M:%S"),
    lambda when: when.strftime("%Y/%m/%d %H:%M:%S.000"),
    lambda when: when.strftime("%Y%m%dT%H%M%S"),
    lambda when: when.strftime("%Y%m%d%H%M%S"),
    lambda when: when.strftime("%Y-%m-%d %H:%M:%S UTC"),
    lambda when: when.astimezone(dt.timezone(dt.timedelta(hours=5, minutes=30))).isoformat(),
    lambda when: when.astimezone(dt.timezone(dt.timedelta(hours=-7))).strftime("%Y-%m-%d %H:%M:%S%z"),
    lambda when: f"{when.year}.{when.month}.{when.day} {when.hour}:{when.minute:02}:{when.second:02}",
]
DATE_SPELLINGS: list[Callable[[dt.datetime], str]] = [
    lambda when: when.strftime("%Y%m%d"),
    lambda when: when.strftime("%Y-%m-%d"),
    lambda when: f"{when.year}/{when.month}/{when.day}",
    lambda when: when.strftime("%Y-%m-%dT00:00Z"),
]


def plain_rows(draw: random.Random) -> list[dict[str, object]]:
    """Return a log with missing ids, whose times are whole seconds, some of them midnights."""
    start = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
    rows: list[dict[str, object]] = []
    for number in range(N_ROWS):
        when = start + dt.timedelta(days=draw.randrange(9000), seconds=draw.choice([0, draw.randrange(86_400)]))
        rows.append({"user_id": number // 8, "item_id": draw.randrange(20), "timestamp": when})
    for row in draw.sample(rows, 4):
        row[draw.choice(["user_id", "item_id"])] = None
    return rows


def spelled(rows: list[dict[str, object]], draw: random.Random) -> list[dict[str, str]]:
    """Write every value in one of the ways in which it is found."""

    def moment(when: dt.datetime) -> str:
        at_midnight = when.time() == dt.time()
        return draw.choice(DATE_SPELLINGS if at_midnight and draw.random() < 0.7 else TIME_SPELLINGS)(when)

    def name(value: int | None) -> str:
        return draw.choice(NOTHING) if value is None else draw.choice(ID_SPELLINGS)(value)

    return [{key: moment(value) if key == "timestamp" else name(value) for key, value in row.items()} for row in rows]


def csv_file(rows: list[dict[str, str]], folder: Path) -> Source:
    with (folder / "log.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return Source("raw_interactions", path=str(folder / "log.csv"))


def json_file(rows: list[dict[str, str]], folder: Path) -> Source:
    """Write numbers as numbers where they are written as such, as JSON has both."""
    (folder / "log.jsonl").write_text(
        "".join(json.dumps({k: natural(v) for k, v in row.items()}) + "\n" for row in rows)
    )
    return Source("raw_interactions", path=str(folder / "log.jsonl"))


def database(rows: list[dict[str, str]], folder: Path) -> Source:
    with sqlite3.connect(folder / "log.db") as connection:
        connection.execute("CREATE TABLE log (user_id INTEGER, item_id NUMERIC, timestamp DATETIME)")
        connection.executemany("INSERT INTO log VALUES (?, ?, ?)", [tuple(map(natural, row.values())) for row in rows])
    return Source("raw_interactions", path=f"sqlite:///{folder}/log.db", format="database", database_table="log")


def parquet(rows: list[dict[str, str]], folder: Path) -> Source:
    pq.write_table(pa.Table.from_pylist(rows), folder / "log.parquet")
    return Source("raw_interactions", path=str(folder / "log.parquet"))


def memory(rows: list[dict[str, str]], folder: Path) -> Source:
    return Source("raw_interactions", table=pa.Table.from_pylist(rows))


def natural(text: str) -> object:
    """Return a number where text is one that Python reads without loss."""
    for kind in (int, float):
        try:
            return kind(text) if text.strip().lower() != "nan" else text
        except ValueError:
            continue
    return text


FORMATS = (csv_file, json_file, database, parquet, memory)


def by_names(corpus: Ingested) -> dict[tuple[str, str], tuple[object, ...]]:
    """Return what happened, by the raw ids of user and item, because text and numbers are ordered differently."""
    users, items = corpus.users["raw_id"].to_pylist(), corpus.items["raw_id"].to_pylist()
    return {
        (users[row["user_id"]], items[row["item_id"]]): (row["timestamp"], row["position"], row["split"])
        for row in corpus.interactions.to_pylist()
    }


def read(source: Source) -> Ingested:
    options = {"split": "leave_one_out", "min_history": 0, "max_rejected_share": 0.5, "threads": 1}
    return ingest(source, ITEMS, Source.empty("raw_users"), **options)


def test_any_spelling_gives_the_corpus_of_the_plain_one(tmp_path):
    deadline = time.monotonic() + SECONDS
    for number in itertools.count():
        draw = random.Random(number)
        rows = plain_rows(draw)
        expected = read(Source("raw_interactions", table=pa.Table.from_pylist(rows)))
        for write in FORMATS:
            if number and time.monotonic() > deadline:
                return
            folder = tmp_path / f"{number}-{write.__name__}"
            folder.mkdir()
            corpus = read(write(spelled(rows, draw), folder))
            assert by_names(corpus) == by_names(expected), (number, write.__name__)
            assert corpus.rejected_rows.equals(expected.rejected_rows), (number, write.__name__)
            if write in (csv_file, json_file):
                assert corpus.samples.equals(expected.samples), (number, write.__name__)
