"""Tables of SQLite, which keeps any value in any column: read as they are stored, not as they are declared."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pyarrow as pa

from coresift.corpus.formats.text_lines import decode

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
