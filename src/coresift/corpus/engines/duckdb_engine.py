"""DuckDB inside this process, with bounded threads and memory; what does not fit is spilled to disk."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import ibis
import ibis.expr.types as ir
from ibis.backends import BaseBackend

from coresift.corpus.engines.engine import WORK_PREFIX, Engine
from coresift.corpus.engines.staging import SOURCE_ROW
from coresift.storage import fresh_folder

_MEANINGLESS = re.compile(r"[A-Za-z0-9_/.=+-]*")
"""Paths that mean themselves; DuckDB takes others for patterns, and SQL for the end of a text."""


class DuckDbEngine(Engine):
    """Computes in a database in memory, or in a file where memory is limited.

    Args:
        connection: The Ibis backend.
        folder: Folder for files that live as long as the connection; its path means itself.
        links: Folder for links to files whose paths do not.
    """

    errors = (duckdb.Error,)

    def __init__(self, connection: BaseBackend, folder: Path, links: Path) -> None:
        super().__init__(connection, folder)
        self._links = links

    def materialize(self, expression: ir.Table) -> ir.Table:
        """Compute an expression once and return the result as a table of the database."""
        return self.connection.create_table(self.next_name(), expression)

    def write(self, expression: ir.Table, order: Sequence[str], target: Path) -> Path:
        """Write an expression, ordered, as a parquet file, and return its path."""
        # Written out here, because Ibis quotes the path as Python does: neither ' nor \ would be the file's own.
        path = str(target).replace("'", "''")
        query = self.connection.compile(expression.order_by(order))
        self.connection.raw_sql(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
        return target

    def parquet_file(self, file: str) -> ir.Table:
        """Return the rows of one parquet file; names of folders such as ``user_id=7`` are no columns."""
        return self.connection.read_parquet(self._plain(file), hive_partitioning=False)

    def numbered_file(self, file: str) -> ir.Table:
        """Return the rows of one parquet file, numbered."""
        rows = self.connection.read_parquet(self._plain(file), hive_partitioning=False, file_row_number=True)
        return rows.rename({SOURCE_ROW: "file_row_number"})

    def _plain(self, file: str) -> str:
        """Return a path of a file that means itself."""
        return str(_linked(Path(file), self._links / f"{self.next_name()}.parquet"))


@contextmanager
def open_duckdb(*, threads: int = 0, memory_limit: str | None = None, folder: Path | None = None) -> Iterator[Engine]:
    """Open DuckDB for the length of a ``with`` block.

    Args:
        threads: Number of threads; 0 uses every core.
        memory_limit: Memory before data is spilled, such as ``"4GB"``; None lets DuckDB take most of the machine.
        folder: Where a temporary folder for intermediate data is made; None is the machine's temporary folder.

    Yields:
        The engine.
    """
    settings: dict[str, object] = {"threads": threads} if threads else {}
    if memory_limit is not None:
        settings["memory_limit"] = memory_limit
    with (
        fresh_folder(folder, WORK_PREFIX) as own,
        tempfile.TemporaryDirectory(prefix="coresift-") as links,
    ):
        work = _linked(own, Path(links) / "work")
        # In a file, steps are compressed and leave memory of their own accord; in memory, small ones are faster.
        # DuckDB follows links to its own files, and looks for an option behind a question mark.
        in_file = memory_limit is not None and "?" not in str(own.resolve())
        database = f"{work}/steps.duckdb" if in_file else ":memory:"
        connection = ibis.duckdb.connect(database, temp_directory=f"{work}/spilled", **settings)
        connection.raw_sql("SET TimeZone = 'UTC'")
        connection.raw_sql("SET enable_progress_bar = false")
        try:
            yield DuckDbEngine(connection, work, Path(links))
        finally:
            connection.disconnect()


def _linked(path: Path, link: Path) -> Path:
    """Return a path that means itself: the one given, or a link to it."""
    if _MEANINGLESS.fullmatch(str(path)):
        return path
    if not _MEANINGLESS.fullmatch(str(link)):
        raise ValueError(
            f"the temporary folder '{link.parent.parent}' has characters in its path that DuckDB takes for a pattern: "
            f"set TMPDIR to a folder with a plain name."
        )
    link.symlink_to(path.absolute())
    return link
