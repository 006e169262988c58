"""Spark and DuckDB read every spelling of ids and times alike, cut alike and draw alike."""

from __future__ import annotations

import decimal
from collections.abc import Iterator

import pyarrow as pa
import pytest

from coresift.corpus import Source, ingest
from coresift.corpus.sampling import histories
from coresift.corpus.spelling.values import MISSING

pytest.importorskip("pyspark", reason="PySpark is not installed")

TABLES = ("interactions", "items", "users", "samples", "rejected_rows")
N_ROWS = 96
ITEMS = Source("raw_items", table=pa.table({"item_id": [f"{item}.0" for item in range(20)], "title": ["NA"] * 20}))
TIMES = [
    *("2020-01-31", "2020/1/31 9:05", "20200131", "20200131T101500.250+0530", "20200131101500", "1580428800", "NaT"),
    *("2020-02-30", "20200230", "31.01.2020", "01/02/2020", "infinity", "1580428800d", "1_580_428_800", " 2020-01-31 "),
    *("0000-00-00", "2020-01-31T24:00:00", "1969-12-31T23:59:59.5Z", "1e400", "-1", "1580428800000", "\t2020.01.31\n"),
]
USERS = [
    *("7", "7.0", "007", "-0.0", "1e+18", "9007199254740993.0", "9007199254740991.0", "ü", " a ", "\t7\n", "1.5"),
    *("2305.00440", "12345678901234567890", *MISSING),
]
RATINGS = ["5", "4.5", "nan", "N/A", "good", "1_0", "5d", "inf", "1e400", ".5", "+3."]


@pytest.fixture(scope="module")
def session() -> Iterator[object]:
    from coresift.corpus.engines.spark_engine import open_spark

    with open_spark(threads=2, settings={"spark.sql.shuffle.partitions": "2"}) as engine:
        yield engine


def columns(kind: pa.DataType | None) -> pa.Table:
    """Return a log of odd values, or one whose ids are numbers of a type."""
    rows = range(N_ROWS)
    users = [USERS[row % len(USERS)] for row in rows]
    ids = pa.array([decimal.Decimal(row // 8) for row in rows], kind) if kind and pa.types.is_decimal(kind) else None
    if kind == pa.binary():
        ids = pa.array([[b"7.0", "ü".encode(), b"\xff", b"", None][row % 5] for row in rows], kind)
    if kind and ids is None:
        odd = {0: 1.5, 1: 2.0**24, 2: 2.0**60, 3: None, 4: float("nan"), 5: float("inf")}
        ids = pa.array([odd.get(row % 17, row // 24) for row in rows], kind)
    return pa.table(
        {
            "user_id": users if kind is None else ids,
            "item_id": [f"{row * 7 % 20}.00" for row in rows],
            "timestamp": [TIMES[row * 5 % len(TIMES)] for row in rows],
            "rating": [RATINGS[row % len(RATINGS)] for row in rows],
        }
    )


def both(table: pa.Table, **options):
    log = Source("raw_interactions", table=table)
    users = Source("raw_users", table=pa.table({"user_id": ["7.0", "ü", "007"], "age": [1, 2, 3]}))
    options = {"split": "leave_one_out", "min_history": 0, "max_rejected_share": 1.0, "threads": 2, **options}
    return [ingest(log, ITEMS, users, engine=engine, **options) for engine in ("duckdb", "spark")]


@pytest.mark.parametrize(
    "kind", [None, pa.float64(), pa.float32(), pa.decimal128(38, 18), pa.decimal128(10, 0), pa.binary()], ids=str
)
def test_both_engines_read_odd_values_alike(session, kind):
    duckdb, spark = both(columns(kind))
    for name in TABLES:
        assert getattr(spark, name).equals(getattr(duckdb, name)), name
    assert spark.report == duckdb.report


def test_both_engines_cut_long_histories_and_draw_alike(session, monkeypatch):
    monkeypatch.setattr(histories, "LONGEST_UNASKED", 3)
    rows = [(f"u{row % 5}", row % 20, 1_600_000_000_000 + row) for row in range(80)]
    table = pa.table(dict(zip(("user_id", "item_id", "timestamp"), zip(*rows, strict=True), strict=True)))
    duckdb, spark = both(table, samples="click", negatives=1)
    for name in TABLES:
        assert getattr(spark, name).equals(getattr(duckdb, name)), name
    assert spark.report == duckdb.report
    assert spark.report["cut_histories"] > 0
