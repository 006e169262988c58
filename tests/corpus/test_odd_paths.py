"""Raw files are read from exactly the path given, whatever characters are in it, by every reader and both engines."""

from __future__ import annotations

import gzip
import json
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from coresift.corpus import IngestionOptions, Source, ingest_to_files, open_source
from coresift.corpus.engines.duckdb_engine import open_duckdb
from coresift.corpus.engines.engine import Engine
from coresift.corpus.engines.staging import SOURCE_ROW

NAMES = ["raw[1]", "raw*", "raw?", "a{b,c}", "it's", 'say "hi"', "a\\b", "a\\[1]", "50%20off", "#1", "a b", "é☃", "x=1"]
NAMES += ["a;b", "a:b", "~", "$HOME", "!x", "[!a]", "[[]1]", "-f", "a::b", "(1)", "tab\there", "line\nend"]
DECOYS = ["raw1", "rawX", "ab", "ac", "a1", "b", "50 off", "1", "x"]
EVERY = "a[1]*?{b}'\"\\ %20#é=:~$"
LOG = [
    {"user_id": f"u{user}", "item_id": item, "timestamp": 10 * item + user} for user in range(3) for item in range(4)
]
ITEMS = [{"item_id": item, "title": f"Title {item}"} for item in range(4)]
FORMATS = ("parquet", "csv", "csv.gz", "jsonl")


def write(folder: Path, name: str = "log", rows: list[dict] = LOG) -> None:
    """Write a table in every format."""
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / f"{name}.parquet")
    text = "\n".join([",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]) + "\n"
    (folder / f"{name}.csv").write_text(text)
    (folder / f"{name}.csv.gz").write_bytes(gzip.compress(text.encode()))
    (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))


def users(engine: Engine, path: str, **options: object) -> list[str]:
    """Return the users of a raw table, in file order."""
    table = open_source(Source("raw", path=path, **options), engine, required=("user_id",))
    return [str(row["user_id"]) for row in engine.rows(table.order_by(SOURCE_ROW).select("user_id"))]


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with open_duckdb(threads=1) as opened:
        yield opened


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables in folders of any name, and tables of others where a pattern would find them."""
    folder = tmp_path_factory.mktemp("odd")
    for name in DECOYS:
        write(folder / name, rows=[{**row, "user_id": "foreign"} for row in LOG])
    for name in NAMES:
        write(folder / name)
    return folder


MINE = [row["user_id"] for row in LOG]


@pytest.mark.parametrize("suffix", FORMATS)
def test_folders_of_any_name_hold_what_is_read(root, engine, suffix):
    for name in NAMES:
        assert users(engine, f"{root}/{name}/log.{suffix}") == MINE, name
        assert users(engine, f"file://{root}/{name}/log.{suffix}") == MINE, name


def test_files_of_any_name_are_read(tmp_path, engine):
    for name in DECOYS:
        write(tmp_path, name, [{**row, "user_id": "foreign"} for row in LOG])
    for name in NAMES:
        write(tmp_path, name)
        for suffix in FORMATS:
            assert users(engine, f"{tmp_path}/{name}.{suffix}") == MINE, name


def test_folders_of_parts_of_any_name_are_read(tmp_path, engine):
    for place, name in enumerate(("raw[1]", "raw*", EVERY)):
        folder = tmp_path / str(place) / name
        folder.mkdir(parents=True)
        for part in range(2):
            pq.write_table(pa.Table.from_pylist(LOG[6 * part : 6 * part + 6]), folder / f"part[{part}]?.parquet")
        assert users(engine, str(folder), format="parquet") == MINE


@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
def test_databases_in_files_of_any_name_are_read(tmp_path, engine, kind):
    with (sqlite3.connect if kind == "sqlite" else duckdb.connect)(str(tmp_path / "shop.db")) as connection:
        connection.execute("CREATE TABLE log (user_id TEXT)")
        connection.executemany("INSERT INTO log VALUES (?)", [(user,) for user in MINE])
    content = (tmp_path / "shop.db").read_bytes()
    for name in NAMES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "shop.db").write_bytes(content)
        address = f"{kind}://{tmp_path}/{name}/shop.db"
        assert users(engine, address, format="database", database_table="log") == MINE, name


@pytest.mark.parametrize("memory_limit", [None, "1GB"])
def test_intermediate_data_lies_in_folders_of_any_name(tmp_path, memory_limit):
    write(tmp_path)
    for name in (*NAMES, EVERY):
        folder = tmp_path / "out" / name
        folder.mkdir(parents=True)
        with open_duckdb(threads=1, memory_limit=memory_limit, folder=folder) as engine:
            table = open_source(Source("raw", path=str(tmp_path / "log.csv")), engine, required=("user_id",))
            written = engine.write(table, [SOURCE_ROW], engine.folder / "t.parquet")
            written.rename(folder / "t.parquet")
        assert pq.read_table(pa.BufferReader((folder / "t.parquet").read_bytes()))["user_id"].to_pylist() == MINE
        assert [path.name for path in folder.iterdir()] == ["t.parquet"]


def test_a_temporary_folder_that_reads_as_a_pattern_is_named(tmp_path, monkeypatch):
    write(tmp_path / "raw[1]")
    (tmp_path / "tmp*").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp*"))
    with (
        pytest.raises(ValueError, match=r"the temporary folder '.*tmp\*' has characters .*: set TMPDIR"),
        open_duckdb(threads=1, folder=tmp_path) as engine,
    ):
        users(engine, str(tmp_path / "raw[1]" / "log.parquet"))


def test_a_corpus_is_made_between_folders_of_any_name(tmp_path):
    sources = odd_sources(tmp_path)
    report = ingest_to_files(*sources, tmp_path / EVERY / "out[1]?", IngestionOptions(split="leave_one_out", threads=1))
    assert (report["rows"]["read"], report["catalogue"]["users"]) == (len(LOG), 3)


def test_spark_reads_and_writes_in_folders_of_any_name(tmp_path):
    pytest.importorskip("pyspark", reason="PySpark is not installed")
    options = IngestionOptions(engine="spark", split="leave_one_out", threads=2)
    report = ingest_to_files(*odd_sources(tmp_path), tmp_path / EVERY / "out[1]?", options)
    assert (report["rows"]["read"], report["catalogue"]["users"]) == (len(LOG), 3)
    assert len(list((tmp_path / EVERY / "out[1]?").iterdir())) == 5


def odd_sources(root: Path) -> list[Source]:
    """Write a log of two parts and a catalogue as CSV below a folder of every character."""
    raw = root / EVERY
    write(raw, "items", ITEMS)
    (raw / "parts*").mkdir()
    for part in range(2):
        pq.write_table(pa.Table.from_pylist(LOG[6 * part : 6 * part + 6]), raw / "parts*" / f"part[{part}].parquet")
    log = Source("raw_log", path=str(raw / "parts*"), format="parquet")
    return [log, Source("raw_items", path=str(raw / "items.csv")), Source.empty("raw_users")]
