"""Contracts are enforced on tables, streams, files, tensors and metrics."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from coresift.datasets.validators import MetricsContract, TableContract, TensorContract
from coresift.storage import SCHEMAS, empty_table


def items(ids: list[int], **changes: Any) -> pa.Table:
    columns = {
        "item_id": ids,
        "raw_id": [f"r{i}" for i in ids],
        "title": ["t" for _ in ids],
        "categories": [["a"] for _ in ids],
        "text": ["t" for _ in ids],
    }
    return pa.table({**columns, **changes}, SCHEMAS["items"])


@pytest.mark.parametrize("dataset", SCHEMAS)
def test_empty_tables_satisfy_their_own_contract(dataset: str) -> None:
    assert TableContract(dataset).validate(empty_table(dataset)).num_rows == 0


def test_a_table_and_its_stream_and_its_file_are_accepted(tmp_path: Path) -> None:
    contract = TableContract("items")
    table = items([0, 1, 2])
    pq.write_table(table, tmp_path / "items.parquet")
    assert contract.validate(table) is table
    assert contract.validate(table.to_reader(1)).read_all().num_rows == 3
    assert contract.validate(tmp_path / "items.parquet") == tmp_path / "items.parquet"


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (items([0, 1]).drop(["title"]), r"lacks \['title'\]"),
        (items([0]).append_column("more", [[1]]), r"unknown columns \['more'\]"),
        (items([0]).set_column(0, "item_id", pa.array([0], pa.int64())), "item_id is int64, not int32"),
        (items([0], title=[None]), "null in title"),
        (items([1, 0]), "not ordered by item_id"),
        (items([0, 0]), "an id occurs twice"),
        (items([0, 2]), "count from 0 without a gap"),
        (items([1, 2]), "count from 0 without a gap"),
    ],
)
def test_broken_tables_are_refused(table: pa.Table, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TableContract("items").validate(table)


def test_a_broken_stream_is_refused_while_it_is_read() -> None:
    stream = TableContract("items").validate(items([0, 1, 1]).to_reader(1))
    with pytest.raises(ValueError, match="an id occurs twice"):
        stream.read_all()


def test_users_may_carry_profile_columns() -> None:
    users = pa.table({"user_id": pa.array([0], pa.int32()), "raw_id": ["u"], "age": [30]})
    assert TableContract("users").validate(users) is users


STATES = {"sample_id": torch.arange(2), "state": torch.zeros(2, 3)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"other": torch.zeros(2)}, "holds"),
        ({"state": torch.zeros(2)}, r"shape \(2,\): it needs 2 dimension"),
        ({"state": torch.zeros(3, 3)}, "2 rows"),
        ({"state": torch.full((2, 3), torch.nan)}, "NaN or infinite"),
        ({"sample_id": torch.zeros(2, dtype=torch.long)}, "an id twice"),
        ({"sample_id": torch.tensor([1, 0])}, "does not ascend"),
        ({"sample_id": torch.arange(2.0)}, "ids are a vector of integers"),
    ],
)
def test_broken_tensors_are_refused(change: dict[str, torch.Tensor], message: str) -> None:
    contract = TensorContract("surrogate_states")
    assert contract.validate(STATES) is STATES
    with pytest.raises(ValueError, match=message):
        contract.validate({**STATES, **change})


def test_metrics_need_rows_with_intervals() -> None:
    row = {"method": "tuned", "masked": True, "recall@10": {"mean": 0.1, "low": 0.0, "high": 0.2}}
    good = {"users": 3, "rows": [row]}
    assert MetricsContract().validate(good) is good
    for bad in ({"rows": []}, {"users": 3, "rows": [{"method": "x"}]}):
        with pytest.raises(ValueError, match="metrics"):
            MetricsContract().validate(bad)
    with pytest.raises(ValueError, match="needs mean, low and high"):
        MetricsContract().validate({"users": 3, "rows": [{**row, "recall@10": {"mean": 0.1}}]})
