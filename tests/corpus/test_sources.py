from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from coresift.corpus import Source, open_source
from coresift.corpus.engines.duckdb_engine import open_duckdb
from coresift.corpus.engines.staging import FAULT, SOURCE_ROW

TABLE = pa.table({"user_id": ["a", "b", "c"], "rating": [1.5, None, 3.0], "note": ["x", "y", "z"]})


def read(source: Source, **options) -> pa.Table:
    with open_duckdb(threads=2) as engine:
        return engine.connection.to_pyarrow(open_source(source, engine, **options).order_by(SOURCE_ROW))


@pytest.fixture
def files(tmp_path: Path) -> Path:
    pq.write_table(TABLE, tmp_path / "t.parquet")
    (tmp_path / "t.csv").write_text("user_id,rating,note\na,1.5,x\nb,,y\nc,3.0,z\n")
    lines = "\n".join(json.dumps(row) for row in TABLE.to_pylist())
    (tmp_path / "t.jsonl").write_text(lines)
    (tmp_path / "t.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    return tmp_path


@pytest.mark.parametrize("name", ["t.parquet", "t.csv", "t.jsonl", "t.jsonl.gz"])
def test_every_format_gives_the_same_rows(files, name):
    table = read(Source("raw", path=str(files / name)))
    expected = TABLE if name == "t.parquet" else TABLE.set_column(1, "rating", pa.array(["1.5", None, "3.0"]))
    assert table.select(TABLE.column_names).to_pylist() == expected.to_pylist()
    assert table[SOURCE_ROW].to_pylist() == [0, 1, 2]


def test_a_table_in_memory_is_a_source():
    assert read(Source("raw", table=TABLE)).select(TABLE.column_names).equals(TABLE)


def test_rows_are_numbered_in_file_order_across_row_groups(tmp_path):
    pq.write_table(pa.table({"n": range(300_000)}), tmp_path / "t.parquet", row_group_size=10_000)
    table = read(Source("raw", path=str(tmp_path / "t.parquet")))
    assert table["n"].to_pylist() == table[SOURCE_ROW].to_pylist()


def test_columns_named_like_plain_words_for_rows_and_faults_are_columns(tmp_path):
    own = pa.table({"source_row": [2, 0, 1], "source_fault": ["x", "y", "z"], "row_of_file": [7, 8, 9], "n": [1, 2, 3]})
    pq.write_table(own, tmp_path / "t.parquet")
    (tmp_path / "t.jsonl").write_text("\n".join(json.dumps(row) for row in own.to_pylist()))
    as_text = [{name: str(value) for name, value in row.items()} for row in own.to_pylist()]
    for source, expected in (
        (Source("raw", table=own), own.to_pylist()),
        (Source("raw", path=str(tmp_path / "t.parquet")), own.to_pylist()),
        (Source("raw", path=str(tmp_path / "t.jsonl")), as_text),
    ):
        table = read(source)
        assert table.select(own.column_names).to_pylist() == expected
        assert table[SOURCE_ROW].to_pylist() == [0, 1, 2]
        assert table[FAULT].null_count == 3


def test_a_folder_of_parquet_files_is_numbered_from_file_to_file(tmp_path):
    for place, name in enumerate("ba"):
        pq.write_table(pa.table({"n": [10 * place, 10 * place + 1]}), tmp_path / f"{name}.parquet")
    table = read(Source("raw", path=str(tmp_path), format="parquet"))
    assert table.select(["n", SOURCE_ROW]).to_pydict() == {"n": [10, 11, 0, 1], SOURCE_ROW: [0, 1, 2, 3]}


def test_names_of_folders_are_no_columns(tmp_path):
    folder = tmp_path / "rating=3" / "category=Games"
    folder.mkdir(parents=True)
    pq.write_table(TABLE, folder / "t.parquet")
    assert read(Source("raw", path=str(folder / "t.parquet"))).select(TABLE.column_names).equals(TABLE)
    assert "category" not in read(Source("raw", path=str(folder), format="parquet")).column_names


def test_a_folder_without_parquet_files_is_named(tmp_path):
    (tmp_path / "year=2018").mkdir()
    pq.write_table(TABLE, tmp_path / "year=2018" / "t.parquet")
    with pytest.raises(ValueError, match=r"raw \(.*\) has no parquet files: put them into the folder itself"):
        read(Source("raw", path=str(tmp_path), format="parquet"))


def test_names_with_points_are_names(tmp_path):
    rows = [{"user_id": "a", "device.os": "x", "device": None}, {"user_id": "b", "device.os": None}]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    table = read(Source("raw", path=str(tmp_path / "t.jsonl")))
    assert table["device.os"].to_pylist() == ["x", None]
    assert "device" not in table.column_names


def test_columns_are_renamed(files):
    source = Source("raw", path=str(files / "t.parquet"), columns={"user_id": "note", "text": "user_id"})
    assert read(source)["user_id"].to_pylist() == ["x", "y", "z"]
    assert read(source)["text"].to_pylist() == ["a", "b", "c"]


def test_only_the_columns_asked_for_are_read(files):
    table = read(Source("raw", path=str(files / "t.parquet")), required=("user_id",), optional=("rating", "absent"))
    assert table.column_names == ["user_id", "rating", SOURCE_ROW, FAULT]


def test_an_absent_mapped_column_is_named(files):
    source = Source("raw", path=str(files / "t.parquet"), columns={"user_id": "reviewer"})
    with pytest.raises(ValueError, match=r"raw \(.*t.parquet\) has no column reviewer .*its column mapping names them"):
        read(source)


def test_an_absent_required_column_is_named(files):
    with pytest.raises(ValueError, match=r"no column item_id \(it has user_id, rating, note\).*optionally title"):
        read(Source("raw", path=str(files / "t.parquet")), required=("item_id",), optional=("title",))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"raw \(.*gone.parquet\) does not exist"):
        read(Source("raw", path=str(tmp_path / "gone.parquet")))


def test_an_unknown_format_is_named(tmp_path):
    (tmp_path / "t.xlsx").write_text("x")
    with pytest.raises(ValueError, match=r"t.xlsx\) is of unknown format.*parquet, csv, jsonl"):
        read(Source("raw", path=str(tmp_path / "t.xlsx")))


@pytest.mark.parametrize("content", [b"", b"PAR1", b"user_id,item_id\n1,2\n"])
def test_what_is_not_parquet_is_named(tmp_path, content):
    (tmp_path / "t.parquet").write_bytes(content)
    with pytest.raises(ValueError, match=r"t.parquet\) cannot be read as a complete parquet file"):
        read(Source("raw", path=str(tmp_path / "t.parquet")))


def test_a_truncated_or_damaged_parquet_file_is_named(files):
    whole = (files / "t.parquet").read_bytes()
    (files / "cut.parquet").write_bytes(whole[: len(whole) // 2])
    (files / "damaged.parquet").write_bytes(whole[:4] + bytes(120) + whole[124:])
    for name in ("cut.parquet", "damaged.parquet"):
        with pytest.raises(ValueError, match=rf"{name}\) cannot be read as a complete parquet file"):
            read(Source("raw", path=str(files / name)))


def test_a_source_is_one_thing():
    with pytest.raises(ValueError, match="either a path or a table"):
        Source("raw")
