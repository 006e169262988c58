"""What a finished run left in its data folder."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def newest(data: Path, dataset: str) -> Path:
    """Path of a dataset's newest version, as ``newest(data, "primary/samples.parquet")``."""
    return max((data / dataset).iterdir()) / Path(dataset).name


def newest_table(data: Path, dataset: str) -> pa.Table:
    """A table's newest version."""
    return pq.read_table(newest(data, dataset))
