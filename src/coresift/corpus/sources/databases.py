"""Tables of databases that Ibis connects to: SQLite, DuckDB, PostgreSQL and others, read in batches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
from ibis.backends import BaseBackend

from coresift.corpus.sources.addresses import reason
from coresift.corpus.sources.sqlite_tables import read_sqlite

_BATCH = 1 << 18
_FILES = ("sqlite", "duckdb")
"""Databases that are files."""


def read_database(address: str, table: str | None, *, optional: bool = False) -> Iterator[pa.RecordBatch]:
    """Read a table; rows are numbered as the database delivers them.

    Args:
        address: What ``ibis.connect`` takes: ``sqlite:///shop.db``, ``duckdb:///shop.duckdb``,
            ``postgres://user:password@host/database``.
        table: Name of the table, with its schema before a point where it is not the default one.
        optional: A table that does not exist stands for one without rows.

    Raises:
        ValueError: If no table is named, or if the database or the table cannot be reached.
    """
    if not table:
        raise ValueError("a database source needs the name of a table: set database_table.")
    schema, _, name = table.rpartition(".")
    failure = ""
    try:
        connection = _connected(address)
        try:
            if optional and name not in connection.list_tables(database=schema or None):
                yield pa.record_batch({"user_id": pa.array([], pa.string())})
                return
            yield from _rows(connection, name, schema)
        finally:
            connection.disconnect()
    except Exception as error:  # every driver has its own errors, whose texts have the whole address
        failure = reason(error, address)
    if failure:
        raise ValueError(f"table {table} cannot be read from the database ({failure}): check the address and the name.")


def _connected(address: str) -> BaseBackend:
    """Connect to a database; a file is opened by the name that it has, whatever characters are in it."""
    scheme, _, rest = address.partition("://")
    if scheme in _FILES and Path(rest).is_file():
        opened: BaseBackend = ibis.sqlite.connect(rest) if scheme == "sqlite" else _read_only(rest)
        return opened
    _check_file(address)
    return ibis.connect(f"{address}?read_only=True" if scheme == "duckdb" and "?" not in address else address)


def _rows(
    connection: Any,  # noqa: ANN401 - a backend of Ibis, of which SQLite's has the connection of its driver
    name: str,
    schema: str,
) -> Iterator[pa.RecordBatch]:
    """Read a table in batches; that of SQLite by its values, whose types may differ from those declared."""
    if connection.name == "sqlite":
        return read_sqlite(connection.con, name, schema, rows=_BATCH)
    return iter(connection.table(name, database=schema or None).to_pyarrow_batches(chunk_size=_BATCH))


def _read_only(file: str) -> BaseBackend:
    """Open a DuckDB file without a lock."""
    opened: BaseBackend = ibis.duckdb.connect(file, read_only=True)
    return opened


def _check_file(address: str) -> None:
    """Stop at a SQLite file that does not exist, which connecting would make."""
    scheme, _, rest = address.rpartition("://")
    file = rest.partition("?")[0]
    if scheme in ("sqlite", "file", "") and file not in ("", ":memory:") and not Path(file).is_file():
        raise FileNotFoundError(f"there is no file {file}")
