"""Arrow tables in one parquet file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro_datasets._typing import TablePreview

from coresift.datasets.located_dataset import LocatedDataset
from coresift.storage import read_table, table_preview, write_table

if TYPE_CHECKING:
    import pyarrow as pa


class ArrowTableDataset(LocatedDataset["pa.Table | pa.RecordBatchReader | Path", "pa.Table"]):
    """Saves a table, a stream of record batches, or a parquet file or folder that an engine wrote; loads a table.

    Args:
        columns: Load only these columns.
        location: See :class:`~coresift.datasets.located_dataset.LocatedDataset`.

    Example:
        .. code-block:: yaml

            interactions:
              type: coresift.datasets.ArrowTableDataset
              filepath: data/intermediate/interactions.parquet
              versioned: true
    """

    def __init__(self, *, columns: Sequence[str] | None = None, **location: Any) -> None:  # noqa: ANN401
        super().__init__(**location)
        self._columns = columns

    def save(self, data: pa.Table | pa.RecordBatchReader | Path) -> None:
        """Write the parquet file whole, or not at all."""
        with self._target.writing_file() as draft:
            write_table(draft, data)

    def load(self) -> pa.Table:
        """Read the parquet file."""
        return read_table(self._source.local_copy(), self._columns)

    def preview(self, nrows: int = 5) -> TablePreview:
        """Return the first rows for kedro-viz."""
        table = table_preview(self._source.local_copy(), nrows)
        rows = [[_short(value) for value in row.values()] for row in table.to_pylist()]
        return TablePreview({"index": list(range(len(rows))), "columns": table.column_names, "data": rows})


def _short(value: object, limit: int = 120) -> object:
    if isinstance(value, int | float) or value is None:
        return value
    text = str(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"
