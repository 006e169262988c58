"""Arrow tables as parquet files, from a table in memory, a stream of record batches, or a file an engine wrote."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from coresift.storage.work_folders import WORK_FOLDER_NAME

TableSource: TypeAlias = "pa.Table | pa.RecordBatchReader | Path"


def write_table(target: Path, data: TableSource) -> None:
    """Write one parquet file.

    Args:
        target: The file to fill.
        data: A table, a record-batch reader (never held whole), or the path of a parquet file or of a folder of
            parquet files, which is copied batch by batch in the order of the file names. A file that lies in a work
            folder is moved.

    Raises:
        TypeError: If ``data`` is of another type.
    """
    if isinstance(data, Path) and data.is_file():
        pq.read_schema(data)
        move_or_copy = shutil.move if WORK_FOLDER_NAME in data.parts else shutil.copyfile
        move_or_copy(data, target)
        return
    batches = _reader(data)
    with pq.ParquetWriter(target, batches.schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_batch(batch)


def read_table(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a parquet file, or only some of its columns."""
    with pq.ParquetFile(path) as file:
        return file.read(columns=None if columns is None else list(columns))


def read_column(data: pa.Table | Path, name: str) -> pa.ChunkedArray:
    """Return one column of a table, or of a parquet file or folder by its path."""
    if isinstance(data, Path):
        return ds.dataset(data, format="parquet").to_table([name])[name]
    return data[name]


def table_preview(path: Path, n_rows: int = 5) -> pa.Table:
    """Return the first rows of a parquet file without reading the rest."""
    with pq.ParquetFile(path) as file:
        batch = next(file.iter_batches(batch_size=n_rows), None)
        return file.schema_arrow.empty_table() if batch is None else pa.Table.from_batches([batch])


def _reader(data: TableSource) -> pa.RecordBatchReader:
    if isinstance(data, pa.Table):
        return data.to_reader()
    if isinstance(data, pa.RecordBatchReader):
        return data
    if isinstance(data, Path):
        files = sorted(str(file) for file in data.rglob("*.parquet"))
        return ds.dataset(files, format="parquet").scanner().to_reader()
    raise TypeError(f"a table dataset takes a pyarrow Table, a RecordBatchReader or a path, not {type(data).__name__}")
