"""Tables of databases that Ibis connects to: SQLite, DuckDB, PostgreSQL and others, read in batches."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import ibis
import pyarrow as pa

_BATCH = 1 << 18


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
    *schema, name = table.split(".")
    try:
        connection = ibis.connect(_read_only(address))
        if optional and table not in connection.list_tables():
            yield pa.record_batch({"user_id": pa.array([], pa.string())})
            return
        expression = connection.table(name, database=schema[0] if schema else None)
        yield from expression.to_pyarrow_batches(chunk_size=_BATCH)
        connection.disconnect()
    except Exception as error:  # every driver has its own errors
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(
            f"table {table} cannot be read from the database ({reason}): check the address and the name."
        ) from error


def without_password(address: str) -> str:
    """Return an address fit for messages."""
    parts = urlsplit(address)
    return address.replace(f":{parts.password}@", ":***@") if parts.password else address


def _read_only(address: str) -> str:
    """Open DuckDB files without a lock, and without making one that is missing."""
    return f"{address}?read_only=True" if address.startswith("duckdb://") and "?" not in address else address
