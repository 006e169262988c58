"""Tables of databases that Ibis connects to: SQLite, DuckDB, PostgreSQL and others, read in batches."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
from ibis.backends import BaseBackend

from coresift.corpus.formats.text_lines import decode
from coresift.corpus.sources.addresses import reason

_KINDS = {"integer": pa.int64(), "real": pa.float64(), "text": pa.string(), "blob": pa.binary()}
_WIDE = 2**53
"""Integers from which on floating point does not tell them apart."""

_COLUMNS_AT_ONCE = 500


def read_sqlite(connection: sqlite3.Connection, table: str, schema: str, *, rows: int) -> Iterator[pa.RecordBatch]:
    """Read a table or a view in batches of one schema.

    Columns of integers, of numbers and of text have these types. A column that mixes text with numbers is text, with
    numbers as they are written, and one that mixes anything with bytes is bytes, so that one odd value costs its row
    at most. A column without values has the type of text.

    Args:
        connection: An open database.
        table: Name of the table.
        schema: Name of the database among the attached ones.
        rows: Number of rows of a batch.
    """
    connection.text_factory = decode
    place = f"{_quoted(schema or 'main')}.{_quoted(table)}"
    cursor = connection.execute(f"SELECT * FROM {place}")
    names = [column[0] for column in cursor.description]
    types = [
        kind
        for start in range(0, len(names), _COLUMNS_AT_ONCE)
        for kind in _types(connection, place, names[start : start + _COLUMNS_AT_ONCE])
    ]
    fields = pa.schema(list(zip(names, types, strict=True)))
    empty = True
    while found := cursor.fetchmany(rows):
        empty = False
        yield pa.record_batch(
            [_column(values, kind) for values, kind in zip(zip(*found, strict=True), types, strict=True)], schema=fields
        )
    if empty:
        yield pa.RecordBatch.from_pylist([], schema=fields)


def _types(connection: sqlite3.Connection, place: str, names: list[str]) -> list[pa.DataType]:
    """Return the types of columns by the kinds of values that they hold."""
    told = ", ".join(
        f"group_concat(DISTINCT typeof({name})), "
        f"max(typeof({name}) = 'integer' AND {name} NOT BETWEEN {-_WIDE} AND {_WIDE})"
        for name in map(_quoted, names)
    )
    found = connection.execute(f"SELECT {told} FROM {place}").fetchone()
    return [
        _type(set((kinds or "null").split(",")) - {"null"}, wide=bool(wide))
        for kinds, wide in zip(found[::2], found[1::2], strict=True)
    ]


def _type(kinds: set[str], *, wide: bool) -> pa.DataType:
    """Return a type that holds values of several kinds."""
    if len(kinds) == 1:
        return _KINDS[next(iter(kinds))]
    if kinds == {"integer", "real"} and not wide:
        return pa.float64()
    return pa.binary() if "blob" in kinds else pa.string()


def _column(values: tuple[object, ...], kind: pa.DataType) -> pa.Array:
    """Return values as a column of a type that holds them."""
    if kind in (pa.string(), pa.binary()):
        values = tuple(value if value is None or isinstance(value, bytes) else str(value) for value in values)
    if kind == pa.binary():
        values = tuple(value.encode() if isinstance(value, str) else value for value in values)
    return pa.array(values, kind)


def _quoted(name: str) -> str:
    """Return a name as SQL writes it."""
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


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
