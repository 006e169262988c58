from __future__ import annotations

import datetime as dt

import ibis
import pyarrow as pa
import pytest

from coresift.corpus.engines.duckdb_engine import open_duckdb
from coresift.corpus.spelling.values import (
    TIMESTAMP_UNITS,
    clean_path,
    clean_text,
    has_size_of,
    identifier,
    milliseconds,
    number,
    split_path,
)


def values(expression: ibis.Value) -> list[object]:
    with open_duckdb(threads=1, memory_limit="1GB") as engine:
        return engine.connection.to_pyarrow(expression.name("value").as_table())["value"].to_pylist()


@pytest.mark.parametrize(
    ("dirty", "clean"),
    [
        ("Tom &amp; Jerry", "Tom & Jerry"),
        ("Assassin&amp;#39;s  Creed\t II ", "Assassin's Creed II"),
        ("\x00Half\x1f-\ufeffLife\n", "Half - Life"),
        ("  ", ""),
        ("AT&T", "AT&T"),
    ],
)
def test_text_is_cleaned(dirty, clean):
    assert clean_text(dirty) == clean


def test_category_paths_are_cleaned_and_split():
    assert clean_path(["Games &amp; More", " ", None, "PC "]) == ["Games & More", "PC"]
    assert split_path("Games > PC>Action") == ["Games", "PC", "Action"]


def test_ids_of_any_type_become_text():
    table = ibis.memtable(
        pa.table(
            {"i": [1, 2], "f": [1.0, 2.5], "t": [" a ", ""], "u": pa.array([1, 2], pa.uint8()), "x": [1e300, None]}
        )
    )
    assert values(identifier(table.i)) == ["1", "2"]
    assert values(identifier(table.f)) == ["1", None]
    assert values(identifier(table.t)) == ["a", None]
    assert values(identifier(table.u)) == ["1", "2"]
    assert values(identifier(table.x)) == [None, None]


def test_numbers_that_are_none_become_null():
    table = ibis.memtable(pa.table({"t": ["3.5", "x", None, "nan", "inf"]}))
    assert values(number(table.t)) == [3.5, None, None, None, None]


@pytest.mark.parametrize(
    ("value", "unit"),
    [(1_700_000_000, "s"), (1_700_000_000_123, "ms"), (1_700_000_000_123_456, "us"), (1_700_000_000_123_456_789, "ns")],
)
def test_the_unit_of_a_time_is_told_by_its_size(value, unit):
    table = ibis.memtable(pa.table({"t": [value]}))
    assert [name for name in TIMESTAMP_UNITS if values(has_size_of(number(table.t), name)) == [True]] == [unit]
    assert values(milliseconds(table.t, unit)) == [1_700_000_000_000 if unit == "s" else 1_700_000_000_123]


def test_dates_and_text_become_milliseconds():
    moment = dt.datetime(2024, 1, 1, 0, 0, 0, 750_000)
    table = ibis.memtable(
        pa.table(
            {
                "plain": [moment, dt.datetime(1969, 12, 31, 23, 59, 59, 500_000)],
                "zoned": pa.array([moment] * 2, pa.timestamp("ns", "UTC")),
                "date": [moment.date()] * 2,
                "iso": ["2024-01-01T02:00:00.750+02:00", "2024-01-01"],
                "mixed": ["1704067200", "yesterday"],
            }
        )
    )
    assert values(milliseconds(table.plain, "ms")) == [1_704_067_200_750, -500]
    assert values(milliseconds(table.zoned, "ms")) == [1_704_067_200_750] * 2
    assert values(milliseconds(table.date, "ms")) == [1_704_067_200_000] * 2
    assert values(milliseconds(table.iso, "s")) == [1_704_067_200_750, 1_704_067_200_000]
    assert values(milliseconds(table.mixed, "s")) == [1_704_067_200_000, None]
