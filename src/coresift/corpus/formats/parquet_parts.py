"""Parquet files that make one table: each column with one type, rows numbered from file to file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq

from coresift.corpus.engines.engine import Engine
from coresift.corpus.engines.staging import FAULT, SOURCE_ROW
from coresift.corpus.formats.columns import spelled


@dataclass(frozen=True)
class ParquetPart:
    """One file of a table.

    Attributes:
        file: Where it lies.
        fields: Its columns, but for those that count as absent.
        n_rows: Number of its rows.
        staged: Whether the project wrote it, with its rows numbered.
    """

    file: Path
    fields: Mapping[int, pa.Field]
    n_rows: int
    staged: bool

    @classmethod
    def at(cls, file: Path, *, staged: bool = False, absent: Sequence[str] = ()) -> ParquetPart:
        """Describe a file.

        Raises:
            pyarrow.ArrowInvalid: If it is no parquet file.
        """
        metadata = pq.read_metadata(file)
        fields = {
            place: field for place, field in enumerate(metadata.schema.to_arrow_schema()) if field.name not in absent
        }
        return cls(file, fields, metadata.num_rows, staged)

    @property
    def names(self) -> list[str]:
        """Names of its columns."""
        return [field.name for field in self.fields.values()]

    def place(self, name: str) -> int | None:
        """Return the place of a column, exactly or but for its case; None if it has none."""
        spelling = spelled(name, self.names)
        return next((place for place, field in self.fields.items() if field.name == spelling), None)

    def kind(self, name: str) -> pa.DataType | None:
        """Return the type of a column; None if it has none or never a value."""
        place = self.place(name)
        kind = None if place is None else _plain(self.fields[place].type)
        return None if kind is None or pa.types.is_null(kind) else kind


def read_parts(parts: Sequence[ParquetPart], columns: Mapping[str, str], engine: Engine) -> ir.Table:
    """Return the rows of files, one file after the other.

    Args:
        parts: The files. One that lacks a column has null in it; whole numbers of different widths, whole and
            fractional ones, and times of different units have the type that holds both.
        columns: Names in the files by the names they get.
        engine: Where to read them.

    Returns:
        The columns, ``SOURCE_ROW`` and ``FAULT``.

    Raises:
        ValueError: If a column has types that no type holds both of.
    """
    kinds = {here: _common(here, [(part, part.kind(there)) for part in parts]) for here, there in columns.items()}
    tables = [
        engine.parquet_file(str(part.file)) if part.staged else engine.numbered_file(str(part.file)) for part in parts
    ]
    types = {here: _engine_type(kinds[here], there, parts, tables) for here, there in columns.items()}
    first_row, read = 0, []
    for part, table in zip(parts, tables, strict=True):
        values = {here: _value(table, part, there, kinds[here], types[here]) for here, there in columns.items()}
        row = (table[SOURCE_ROW] + first_row).cast("int64")
        fault = table[FAULT] if part.staged and FAULT in part.names else ibis.null("string")
        read.append(table.select(**values, **{SOURCE_ROW: row, FAULT: fault}))
        first_row += part.n_rows
    return ibis.union(*read) if len(read) > 1 else read[0]


def _plain(kind: pa.DataType) -> pa.DataType:
    """Return the type that the values of a column have, however they are encoded."""
    return _plain(kind.value_type) if pa.types.is_dictionary(kind) else kind


def _common(name: str, found: Sequence[tuple[ParquetPart, pa.DataType | None]]) -> pa.DataType | None:
    """Return the type that holds every value of a column; None if there is none."""
    common: pa.DataType | None = None
    for part, kind in found:
        if kind is None or kind == common:
            continue
        if common is None:
            common, first = kind, part
            continue
        schemas = [pa.schema([(name, other)]) for other in (common, kind)]
        try:
            common = pa.unify_schemas(schemas, promote_options="permissive").field(name).type
        except pa.ArrowException:
            raise ValueError(
                f"column {name} is of type {common} in {first.file.name}, but of type {kind} in {part.file.name}: "
                f"write all files with one type."
            ) from None
    return common


def _engine_type(
    kind: pa.DataType | None, name: str, parts: Sequence[ParquetPart], tables: Sequence[ir.Table]
) -> dt.DataType:
    """Return the engine's own type of a column, which a file that has it tells."""
    for part, table in zip(parts, tables, strict=True):
        place = part.place(name)
        if place is not None and kind is not None and part.kind(name) == kind:
            return table[table.columns[place]].type()
    return dt.string if kind is None else dt.DataType.from_pyarrow(kind)


def _value(table: ir.Table, part: ParquetPart, name: str, kind: pa.DataType | None, target: dt.DataType) -> ir.Value:
    """Return a column of one file with the type that all files share."""
    place, own = part.place(name), part.kind(name)
    if place is None or own is None:
        return ibis.null(target)
    column = table[table.columns[place]]
    return column if own == kind else column.cast(target)
