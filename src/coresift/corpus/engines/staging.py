"""Rows from anywhere become one parquet file with numbered rows, which every engine reads alike."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

SOURCE_ROW = "_coresift_row"
"""Name of the column that numbers the rows of a source from 0, in file order; no raw table has such a name."""

FAULT = "_coresift_fault"
"""Name of the column that says why a row could not be read at all; null in readable rows."""


def stage(batches: Iterable[pa.RecordBatch], target: Path) -> Path:
    """Write batches of one schema to a parquet file, in order, with the column ``SOURCE_ROW``.

    Args:
        batches: At least one batch, which may be empty; never held together. Rows that have no ``SOURCE_ROW`` yet are
            numbered in the order in which they come.
        target: The file to write.

    Returns:
        ``target``.
    """
    remaining = iter(batches)
    first = next(remaining)
    schema = storable(first.schema)
    numbered = SOURCE_ROW in schema.names
    schema = schema if numbered else schema.append(pa.field(SOURCE_ROW, pa.int64()))
    n_rows = 0
    with pq.ParquetWriter(target, schema, compression="lz4") as writer:
        for batch in chain([first], remaining):
            columns = [_plain(column) for column in batch.columns]
            own = [] if numbered else [np.arange(n_rows, n_rows + len(batch))]
            writer.write_table(pa.table([*columns, *own], schema.names).cast(schema))
            n_rows += len(batch)
    return target


def never_filled(file: Path) -> list[str]:
    """Return the columns of a parquet file of plain values and lists that hold nothing but null."""
    metadata = pq.read_metadata(file)
    n_null = dict.fromkeys(pq.read_schema(file).names, 0)
    for group in range(metadata.num_row_groups):
        # Told apart by their places, because a name may hold the point that also joins the levels of nested columns.
        for place, name in enumerate(n_null):
            statistics = metadata.row_group(group).column(place).statistics
            n_null[name] += statistics.null_count if statistics else 0
    return [name for name, count in n_null.items() if count == metadata.num_rows]


def storable(schema: pa.Schema) -> pa.Schema:
    """Return a schema without dictionaries, and with text for columns of nothing but null."""
    return pa.schema([field.with_type(_plain_type(field.type)) for field in schema])


def _plain_type(kind: pa.DataType) -> pa.DataType:
    """Return the type that a column is stored with."""
    if pa.types.is_dictionary(kind):
        return _plain_type(kind.value_type)
    # Engines read decimals of more than 38 digits as floating-point numbers; text keeps all of them.
    return pa.string() if pa.types.is_null(kind) or pa.types.is_decimal256(kind) else kind


def _plain(column: pa.Array) -> pa.Array:
    """Return a column without its dictionary, and long decimals as text."""
    plain = pc.cast(column, column.type.value_type) if pa.types.is_dictionary(column.type) else column
    return pc.cast(plain, pa.string()) if pa.types.is_decimal256(plain.type) else plain
