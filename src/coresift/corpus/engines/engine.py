"""What ingestion computes with: an Ibis connection and a folder, and nothing that passes rows through this process."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import ibis.expr.types as ir
from ibis.backends import BaseBackend

WORK_PREFIX = ".coresift-steps-"
"""How the names of folders for intermediate data begin."""


class Engine(ABC):
    """A connection, and the intermediate tables that live as long as it does.

    Attributes:
        connection: The Ibis backend.
        folder: Folder for files that live as long as the connection.
        errors: What the engine raises where it cannot read.
    """

    errors: tuple[type[Exception], ...]

    def __init__(self, connection: BaseBackend, folder: Path) -> None:
        self.connection = connection
        self.folder = folder
        self._n_steps = 0

    @abstractmethod
    def materialize(self, expression: ir.Table) -> ir.Table:
        """Compute an expression once and return the result as a table of the engine."""

    @abstractmethod
    def parquet_file(self, file: str) -> ir.Table:
        """Return the rows of one parquet file, with its own columns in its own order and no others."""

    @abstractmethod
    def numbered_file(self, file: str) -> ir.Table:
        """Return the rows of one parquet file, numbered from 0 in file order in a last column ``SOURCE_ROW``."""

    def write(self, expression: ir.Table, order: Sequence[str], target: Path) -> Path:
        """Write an expression, ordered, as a parquet file or a folder of parquet files, and return its path."""
        self.connection.to_parquet(expression.order_by(order), str(target))
        return target

    def count(self, table: ir.Table) -> int:
        """Return the number of rows."""
        return int(str(self.value(table.count())))

    def value(self, expression: ir.Scalar) -> object:
        """Return one value."""
        return self.rows(expression.name("value").as_table())[0]["value"]

    def rows(self, table: ir.Table) -> list[dict[str, object]]:
        """Return a small table as a list of dictionaries."""
        rows: list[dict[str, object]] = self.connection.to_pyarrow(table).to_pylist()
        return rows

    def next_name(self) -> str:
        """Return a name that no earlier table has."""
        self._n_steps += 1
        return f"step_{self._n_steps}"
