"""Tables of databases: SQLite and DuckDB files, and PostgreSQL where its server and driver are installed."""

from __future__ import annotations

import shutil
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from coresift.corpus import Source, ingest

SHOP = """
CREATE TABLE interactions (user_id TEXT, item_id INTEGER, timestamp BIGINT, rating REAL);
CREATE TABLE items (item_id INTEGER, title TEXT);
INSERT INTO items VALUES (1, 'One'), (2, 'Two'), (3, 'Three &amp; more'), (10, NULL);
INSERT INTO interactions VALUES
  ('ann', 1, 1000, 5), ('ann', 10, 2000, NULL), ('ann', 3, 3000, 2), ('bob', 3, 1500, 4), ('bob', NULL, 1600, 4);
"""


def read(address: str, *, schema: str = "", **options):
    sources = [
        Source(f"raw_{name}", path=address, format="database", database_table=schema + name, optional=name == "users")
        for name in ("interactions", "items", "users")
    ]
    return ingest(*sources, split="leave_one_out", min_history=0, max_rejected_share=0.2, threads=1, **options)


def check(corpus) -> None:
    assert corpus.items["title"].to_pylist() == ["One", "Two", "Three & more", "Item 10"]
    assert corpus.interactions["rating"].to_pylist() == [5.0, None, 2.0, 4.0]
    assert corpus.users["raw_id"].to_pylist() == ["ann", "bob"]
    assert corpus.report["rejected"]["raw_interactions"] == {"missing item_id": 1}


def test_sqlite(tmp_path):
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.executescript(SHOP)
    check(read(f"sqlite://{tmp_path}/shop.db"))


def test_duckdb(tmp_path):
    with duckdb.connect(tmp_path / "shop.duckdb") as connection:
        connection.execute(SHOP)
    check(read(f"duckdb://{tmp_path}/shop.duckdb"))


@pytest.mark.parametrize("schema", ["sales.", "shop.sales."])
def test_tables_of_a_schema_are_read_also_optional_ones(tmp_path, schema):
    with duckdb.connect(tmp_path / "shop.duckdb") as connection:
        connection.execute(f"CREATE SCHEMA sales; USE sales; {SHOP}")
        connection.execute("CREATE TABLE users (user_id TEXT, age INTEGER); INSERT INTO users VALUES ('bob', 30)")
    address = f"duckdb://{tmp_path}/shop.duckdb"
    corpus = read(address, schema=schema)
    check(corpus)
    assert corpus.users["age"].to_pylist() == [None, 30]


def test_a_mistyped_path_makes_no_file(tmp_path):
    with pytest.raises(ValueError, match=r"table items cannot be read from the database \(there is no file .*gone.db"):
        read(f"sqlite://{tmp_path}/gone.db")
    assert list(tmp_path.iterdir()) == []


def test_a_database_is_closed_also_when_reading_fails(tmp_path):
    with duckdb.connect(tmp_path / "shop.duckdb") as connection:
        connection.execute("CREATE TABLE other (a INTEGER)")
    with pytest.raises(ValueError, match="table items cannot be read") as caught:
        read(f"duckdb://{tmp_path}/shop.duckdb")
    duckdb.connect(tmp_path / "shop.duckdb").close()  # for writing, which a connection left open refuses
    assert caught.value.__cause__ is not None


def test_an_absent_table_and_an_absent_database_are_named(tmp_path):
    with sqlite3.connect(tmp_path / "empty.db"):
        pass
    with pytest.raises(ValueError, match=r"raw_items \(sqlite.*table items cannot be read from the database"):
        read(f"sqlite://{tmp_path}/empty.db")
    with pytest.raises(ValueError, match="table items cannot be read from the database"):
        read(f"duckdb://{tmp_path}/gone.duckdb")
    with pytest.raises(ValueError, match="needs the name of a table: set database_table"):
        ingest(
            Source("i", path="sqlite://", format="database"), *[Source("t", path="sqlite://", format="database")] * 2
        )


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a PostgreSQL server of this test's own."""
    pytest.importorskip("psycopg", reason="the driver of PostgreSQL is not installed")
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not programs or shutil.which("setpriv") is None:
        pytest.skip("PostgreSQL is not installed")
    folder = tmp_path_factory.mktemp("postgres")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    yield from _serve(programs[-1], folder, port)


def _serve(programs: Path, folder: Path, port: int) -> Iterator[str]:
    """Run a server, as another user where this one is root, which PostgreSQL refuses."""
    import os

    as_user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    if as_user:
        for path in (folder, *folder.parents[:3]):
            path.chmod(0o777)
    data = folder / "data"
    subprocess.run([*as_user, programs / "initdb", "-D", data, "-U", "shop", "-A", "trust"], check=True, stdout=-3)
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
    control = [*as_user, programs / "pg_ctl", "-D", data, "-w", "-l", folder / "log"]
    subprocess.run([*control, "-o", options, "start"], check=True, stdout=-3)
    try:
        address = f"postgres://shop:unused@127.0.0.1:{port}/postgres"
        subprocess.run([programs / "psql", address.replace("postgres://", "postgresql://"), "-qc", SHOP], check=True)
        yield address
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=True, stdout=-3)


def test_postgres(postgres):
    check(read(postgres))
