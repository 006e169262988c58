"""The database that ingestion runs in: DuckDB inside this process, with bounded threads and memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import ibis
import ibis.expr.types as ir
from ibis.backends import BaseBackend


class Engine:
    """A connection, and the intermediate tables that live as long as it does.

    Attributes:
        connection: The Ibis backend.
    """

    def __init__(self, connection: BaseBackend) -> None:
        self.connection = connection
        self._n_tables = 0

    def materialise(self, expression: ir.Table) -> ir.Table:
        """Compute an expression once and return the result as a table of the engine."""
        self._n_tables += 1
        return self.connection.create_table(f"step_{self._n_tables}", expression, temp=True)

    def count(self, table: ir.Table) -> int:
        """Return the number of rows."""
        return int(self.connection.to_pyarrow(table.count()).as_py())

    def rows(self, table: ir.Table) -> list[dict[str, object]]:
        """Return a small table as a list of dictionaries."""
        rows: list[dict[str, object]] = self.connection.to_pyarrow(table).to_pylist()
        return rows


@contextmanager
def open_engine(*, threads: int = 0, memory_limit: str | None = None) -> Iterator[Engine]:
    """Open DuckDB for the length of a ``with`` block.

    Args:
        threads: Number of threads; 0 uses every core.
        memory_limit: Memory before data is spilled to a temporary folder, such as ``"4GB"``; None lets DuckDB take
            most of the machine.

    Yields:
        The engine.
    """
    settings: dict[str, object] = {"threads": threads} if threads else {}
    if memory_limit is not None:
        settings["memory_limit"] = memory_limit
    with tempfile.TemporaryDirectory(prefix="coresift-") as spill_folder:
        connection = ibis.duckdb.connect(temp_directory=spill_folder, **settings)
        connection.raw_sql("SET TimeZone = 'UTC'")
        connection.raw_sql("SET enable_progress_bar = false")
        try:
            yield Engine(connection)
        finally:
            connection.disconnect()
