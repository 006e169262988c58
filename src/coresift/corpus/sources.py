"""Where raw rows come from: files of three formats or a table in memory, opened as one kind of expression."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import ibis
import ibis.expr.types as ir
import pyarrow as pa

from coresift.corpus.engine import Engine

SOURCE_ROW = "source_row"
"""Name of the column that numbers the rows of a source from 0, in file order."""

_SUFFIXES = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
}
_COMPRESSIONS = (".gz", ".zst")
FORMATS = ("parquet", "csv", "jsonl")


@dataclass(frozen=True)
class Source:
    """One raw table: either a file or a table in memory.

    Attributes:
        name: Name of the dataset, for messages and rejected rows.
        path: File to read.
        format: ``parquet``, ``csv`` (with a header) or ``jsonl``; None takes it from the file's name.
        table: Table in memory, instead of ``path``.
        columns: Names of columns in the file by the name they have here, for those that differ:
            ``{"user_id": "reviewerID"}``.
    """

    name: str
    path: str | None = None
    format: str | None = None
    table: pa.Table | None = None
    columns: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        """Refuse a source of nothing or of two things.

        Raises:
            ValueError: Unless exactly one of ``path`` and ``table`` is given.
        """
        if (self.path is None) == (self.table is None):
            raise ValueError(f"{self.name} must be given either a path or a table, and not both.")

    @classmethod
    def empty(cls, name: str) -> Source:
        """Return a source without rows, which stands for an optional table that does not exist."""
        return cls(name, table=pa.table({"user_id": pa.array([], pa.string())}))

    @property
    def label(self) -> str:
        """What messages call the source: its name, and its path if it has one."""
        return self.name if self.path is None else f"{self.name} ({self.path})"


def open_source(
    source: Source, engine: Engine, *, required: Sequence[str] = (), optional: Sequence[str] | None = None
) -> ir.Table:
    """Read a source into the engine, with its columns renamed and its rows numbered in ``source_row``.

    Args:
        source: What to read.
        engine: Where to read it.
        required: Columns that must be there.
        optional: Columns to read if they are there; None reads every column.

    Returns:
        Every row of the source.

    Raises:
        ValueError: If the file is missing, is not of its format or is damaged, or if a column is absent.
    """
    table = _renamed(_read(source, engine), source)
    _require_columns(table, source, required, expected=_in_words(required, optional))
    if optional is not None:
        table = table.select([name for name in table.columns if name in {*required, *optional}])
    try:
        return engine.materialise(table.mutate(ibis.row_number().over().cast("int64").name(SOURCE_ROW)))
    except duckdb.Error as error:
        raise _unreadable(source, error) from error


def _read(source: Source, engine: Engine) -> ir.Table:
    """Return the source as an expression, without its rows being read."""
    if source.table is not None:
        return ibis.memtable(_with_types(source.table))
    path = str(source.path)
    if "://" not in path and not Path(path).is_file():
        raise ValueError(f"{source.label} does not exist or is not a file: check raw_dir and the name of the file.")
    readers: dict[str, Callable[[str], ir.Table]] = {
        "parquet": engine.connection.read_parquet,
        "csv": engine.connection.read_csv,
        "jsonl": engine.connection.read_json,
    }
    try:
        return readers[_format(source)](path)
    except duckdb.Error as error:
        raise _unreadable(source, error) from error


def _with_types(table: pa.Table) -> pa.Table:
    """Return a table whose columns of nothing but null are text, for the database has no type for them."""
    fields = [field.with_type(pa.string()) if pa.types.is_null(field.type) else field for field in table.schema]
    return table.cast(pa.schema(fields))


def _format(source: Source) -> str:
    """Return the format given, or the one that the file's name tells."""
    suffixes = [suffix for suffix in Path(str(source.path)).suffixes if suffix not in _COMPRESSIONS]
    name = source.format or _SUFFIXES.get(suffixes[-1] if suffixes else "")
    if name not in FORMATS:
        raise ValueError(f"{source.label} is of unknown format: set its format to one of {', '.join(FORMATS)}.")
    return name


def _renamed(table: ir.Table, source: Source) -> ir.Table:
    """Return the table with the source's mapping applied."""
    if not source.columns:
        return table
    _require_columns(table, source, source.columns.values(), expected="its column mapping names them")
    replaced = [name for name in source.columns if name in table.columns and name not in source.columns.values()]
    return table.drop(*replaced).rename(dict(source.columns))


def _require_columns(table: ir.Table, source: Source, names: Iterable[str], *, expected: str) -> None:
    """Stop unless a table has every one of the columns."""
    missing = [name for name in names if name not in table.columns]
    if missing:
        found = ", ".join(table.columns)
        raise ValueError(
            f"{source.label} has no column {', '.join(missing)} (it has {found}): {expected}; "
            f"rename its columns, or map them."
        )


def _in_words(required: Sequence[str], optional: Sequence[str] | None) -> str:
    """Return a sentence on the columns a source should have."""
    further = "any others" if optional is None else ", ".join(optional)
    return f"expected are {', '.join(required)}" + (f" and optionally {further}" if further else "")


def _unreadable(source: Source, error: duckdb.Error) -> ValueError:
    """Return one sentence about a file that the database cannot read."""
    reason = str(error).splitlines()[0]
    kind = "a table in memory" if source.path is None else f"a complete {_format(source)} file"
    return ValueError(f"{source.label} cannot be read as {kind}: replace it, or set its format ({reason}).")
