"""Parquet files of one folder make one table though their schemas differ, or a sentence says where they do not fit."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from coresift.corpus import Source, open_source
from coresift.corpus.engines.engine import Engine
from coresift.corpus.engines.staging import FAULT, SOURCE_ROW


@pytest.fixture
def rows(tmp_path: Path, engine: Engine):
    """Write tables as the parts of a folder, and read them as one."""

    def run(*tables: pa.Table, **wanted) -> list[dict]:
        for place, table in enumerate(tables):
            pq.write_table(table, tmp_path / f"part-{place}.parquet")
        source = Source("raw", path=str(tmp_path), format="parquet")
        opened = open_source(source, engine, **{"required": ("user_id",), **wanted})
        read = engine.rows(opened.order_by(SOURCE_ROW))
        assert [row.pop(SOURCE_ROW) for row in read] == list(range(len(read)))
        assert {row.pop(FAULT) for row in read} == {None}
        return read

    return run


def test_a_part_with_a_further_column_is_read(rows):
    first, second = pa.table({"user_id": ["a"]}), pa.table({"rating": [1.5], "user_id": ["b"]})
    for tables in ((first, second), (second, first)):
        read = rows(*tables, optional=("rating",))
        assert {row["user_id"]: row["rating"] for row in read} == {"a": None, "b": 1.5}


@pytest.mark.parametrize("suffix", [".parq", ".pq"])
def test_parts_by_the_short_suffixes_are_read_too(rows, tmp_path, suffix):
    pq.write_table(pa.table({"user_id": ["b"]}), tmp_path / f"part-1{suffix}")
    assert [row["user_id"] for row in rows(pa.table({"user_id": ["a"]}))] == ["a", "b"]


def test_whole_numbers_of_different_widths_are_read(rows):
    kinds = [pa.int8(), pa.int16(), pa.int32(), pa.int64()]
    read = rows(*(pa.table({"user_id": pa.array([n], kind)}) for n, kind in enumerate(kinds)))
    assert [row["user_id"] for row in read] == [0, 1, 2, 3]


def test_whole_and_fractional_numbers_are_read(rows):
    read = rows(pa.table({"user_id": ["a"], "rating": [4]}), pa.table({"user_id": ["b"], "rating": [4.5]}))
    assert [row["rating"] for row in read] == [4.0, 4.5]


@pytest.mark.parametrize("values", [["x"], [3], [1.5], [["a", "b"]]])
def test_a_part_with_nothing_but_null_is_read(rows, values):
    nothing = pa.table({"user_id": ["a"], "note": pa.nulls(1)})
    assert [row["note"] for row in rows(nothing, pa.table({"user_id": ["b"], "note": values}))] == [None, *values]
    assert [row["note"] for row in rows(nothing)][:1] == [None]


def test_text_with_and_without_a_dictionary_is_read(rows):
    plain = pa.table({"user_id": ["a", "b"]})
    coded = pa.table({"user_id": pa.array(["c"]).dictionary_encode()})
    large = pa.table({"user_id": pa.array(["d"], pa.large_string())})
    assert [row["user_id"] for row in rows(plain, coded, large)] == ["a", "b", "c", "d"]


def test_parts_may_spell_a_column_in_different_cases_and_places(rows):
    read = rows(pa.table({"USER_ID": ["a"], "Age": [1]}), pa.table({"age": [2], "user_id": ["b"]}))
    assert read == [{"user_id": "a", "Age": 1}, {"user_id": "b", "Age": 2}]


def test_types_that_do_not_fit_are_named_with_their_files(rows):
    tables = pa.table({"user_id": ["a"], "note": [1]}), pa.table({"user_id": [1], "note": ["b"]})
    with pytest.raises(
        ValueError, match=r"raw \(.*column user_id is of type string in part-0.parquet, but of type int64"
    ):
        rows(*tables)
    read = rows(*tables[:1], pa.table({"user_id": ["b"], "note": ["x"]}), optional=())
    assert [row["user_id"] for row in read] == ["a", "b"]  # a column that nobody reads may be anything


def test_a_column_that_no_part_has_is_named(rows):
    with pytest.raises(ValueError, match=r"has no column item_id \(it has user_id, note\)"):
        rows(pa.table({"user_id": ["a"]}), pa.table({"note": [1]}), required=("user_id", "item_id"))
