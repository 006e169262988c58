"""Validators of the hand-overs between stages, named by the catalog's ``validator:`` key.

A dataset that breaks its contract is refused on save, before anything is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from coresift.storage import SCHEMAS, TENSOR_CONTRACTS

if TYPE_CHECKING:
    from torch import Tensor

DENSE_IDS = {"items": "item_id", "users": "user_id", "samples": "sample_id"}
"""Tables whose ids count from 0 without a gap."""
ASCENDING_IDS = {**DENSE_IDS, "prompts": "sample_id", "sample_scores": "sample_id", "semantic_ids": "item_id"}
"""Tables whose rows are ordered by an id that occurs once."""
OPEN_TABLES = frozenset({"users"})
"""Tables that may carry further columns."""
NULLABLE_COLUMNS = frozenset({"timestamp", "rating", "score"})
METRIC_ROW_KEYS = frozenset({"method", "masked"})


class TableContract:
    """Checks the columns, types, nulls and row order of a table, a stream of batches, or parquet files by path.

    Args:
        dataset: Name of the contract in :data:`coresift.storage.SCHEMAS`.
    """

    def __init__(self, dataset: str) -> None:
        self._dataset = dataset
        self._schema = SCHEMAS[dataset]

    def validate(self, data: pa.Table | pa.RecordBatchReader | Path) -> pa.Table | pa.RecordBatchReader | Path:
        """Return ``data``; a stream comes back as one that checks while it is read.

        Raises:
            ValueError: If the contract is broken.
        """
        if isinstance(data, pa.RecordBatchReader):
            self._check_schema(data.schema)
            return pa.RecordBatchReader.from_batches(data.schema, self._checked(data))
        batches = data.to_batches() if isinstance(data, pa.Table) else _parquet(data)
        self._check_schema(data.schema if isinstance(data, pa.Table) else ds.dataset(data, format="parquet").schema)
        for _ in self._checked(batches):
            pass
        return data

    def _check_schema(self, schema: pa.Schema) -> None:
        expected, found = dict(_columns(self._schema)), dict(_columns(schema))
        missing = [name for name in expected if name not in found]
        extra = [] if self._dataset in OPEN_TABLES else [name for name in found if name not in expected]
        wrong = [
            f"{name} is {found[name]}, not {kind}" for name, kind in expected.items() if found.get(name, kind) != kind
        ]
        problems = [f"lacks {missing}"] * bool(missing) + [f"has unknown columns {extra}"] * bool(extra) + wrong
        if problems:
            raise ValueError(f"table '{self._dataset}' {'; '.join(problems)}")

    def _checked(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        last = -1
        for batch in batches:
            self._check_nulls(batch)
            last = self._check_order(batch, last)
            yield batch

    def _check_nulls(self, batch: pa.RecordBatch) -> None:
        required = [name for name in self._schema.names if name not in NULLABLE_COLUMNS]
        empty = [name for name in required if batch.column(name).null_count]
        if empty:
            raise ValueError(f"table '{self._dataset}' has null in {', '.join(empty)}")

    def _check_order(self, batch: pa.RecordBatch, last: int) -> int:
        """Check the ids of one batch, given the last id of the batch before, and return its own last id."""
        name = ASCENDING_IDS.get(self._dataset)
        if name is None or batch.num_rows == 0:
            return last
        ids = batch.column(name)
        steps = pc.subtract(ids, pa.concat_arrays([pa.array([last], ids.type), ids[:-1]]))
        smallest, largest = pc.min(steps).as_py(), pc.max(steps).as_py()
        if smallest < 1:
            raise ValueError(f"table '{self._dataset}' is not ordered by {name}, or an id occurs twice")
        if self._dataset in DENSE_IDS and largest > 1:
            raise ValueError(f"table '{self._dataset}' misses values of {name}: ids must count from 0 without a gap")
        return int(ids[-1].as_py())


class TensorContract:
    """Checks names, ranks, lengths, finiteness and ascending ids of a dictionary of tensors.

    Args:
        dataset: Name of the contract in :data:`coresift.storage.TENSOR_CONTRACTS`.
    """

    def __init__(self, dataset: str) -> None:
        self._dataset = dataset
        self._contract = TENSOR_CONTRACTS[dataset]

    def validate(self, data: Mapping[str, Tensor] | Path) -> Mapping[str, Tensor] | Path:
        """Return ``data``.

        Raises:
            ValueError: If the contract is broken.
        """
        if isinstance(data, Path):
            return data
        key, ranks = self._contract.key, self._contract.ranks
        if set(data) != {key, *ranks}:
            raise ValueError(f"dataset '{self._dataset}' holds {sorted(data)}, not {sorted({key, *ranks})}")
        n_rows = len(data[key])
        for name, rank in ranks.items():
            if data[name].ndim != rank or len(data[name]) != n_rows:
                raise ValueError(
                    f"'{name}' of '{self._dataset}' has shape {tuple(data[name].shape)}: "
                    f"it needs {rank} dimension(s) and {n_rows} rows"
                )
            if data[name].is_floating_point() and not bool(data[name].isfinite().all()):
                raise ValueError(f"'{name}' of '{self._dataset}' holds NaN or infinite values")
        self._check_ids(data[key])
        return data

    def _check_ids(self, ids: Tensor) -> None:
        key = f"'{self._contract.key}' of '{self._dataset}'"
        if ids.ndim != 1 or ids.is_floating_point():
            raise ValueError(f"{key} holds {ids.dtype} of shape {tuple(ids.shape)}: ids are a vector of integers")
        if len(ids.unique()) != len(ids):
            raise ValueError(f"{key} holds an id twice")
        if bool((ids[1:] < ids[:-1]).any()):
            raise ValueError(f"{key} does not ascend: order the rows of all tensors by it")


class MetricsContract:
    """Checks the metrics file: number of users, and rows of one method each with mean and interval per metric."""

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        """Return ``data``.

        Raises:
            ValueError: If the contract is broken.
        """
        if not isinstance(data.get("users"), int) or not isinstance(data.get("rows"), list):
            raise ValueError("metrics need 'users' (a number) and 'rows' (a list)")
        for row in data["rows"]:
            if not METRIC_ROW_KEYS <= row.keys():
                raise ValueError(f"a row of metrics lacks {sorted(METRIC_ROW_KEYS - row.keys())}")
            for name, value in row.items():
                if isinstance(value, dict) and not {"mean", "low", "high"} <= value.keys():
                    raise ValueError(f"metric '{name}' of '{row['method']}' needs mean, low and high")
        return data


def _columns(schema: pa.Schema) -> Iterator[tuple[str, pa.DataType]]:
    for field in schema:
        yield field.name, pa.list_(field.type.value_type) if pa.types.is_list(field.type) else field.type


def _parquet(path: Path) -> Iterator[pa.RecordBatch]:
    yield from ds.dataset(path, format="parquet").to_batches()
