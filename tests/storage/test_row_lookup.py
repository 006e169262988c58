"""Rows are found by their ids."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import torch

from coresift.storage import places_of, rows_of, rows_of_items, table_of_items


def test_rows_are_found_by_id_in_any_order() -> None:
    tensors = {"sample_id": torch.tensor([7, 2, 9, 4]), "state": torch.tensor([[7.0], [2.0], [9.0], [4.0]])}
    assert rows_of(tensors, "state", [4, 9, 4], dataset="states").flatten().tolist() == [4, 9, 4]
    assert places_of([], tensors["sample_id"], dataset="states").tolist() == []
    assert rows_of(tensors, "state", [7, 2, 9, 4], dataset="states") is tensors["state"]


def test_row_of_a_catalogue_is_item_id_whatever_the_order() -> None:
    order = torch.tensor([2, 0, 3, 1])
    vectors = {"item_id": order, "vector": order[:, None].float()}
    assert rows_of_items(vectors, dataset="item_vectors", n_items=4).flatten().tolist() == [0, 1, 2, 3]
    table = pa.table({"item_id": pa.array(order.numpy(), pa.int32()), "codes": ["c", "a", "d", "b"]})
    assert table_of_items(table, dataset="semantic_ids")["codes"].to_pylist() == ["a", "b", "c", "d"]


@pytest.mark.parametrize("n_items", [None, 3])
def test_missing_double_and_foreign_ids_are_one_sentence(n_items: int | None) -> None:
    def items(*ids: int) -> torch.Tensor:
        tensors = {"item_id": torch.tensor(ids), "vector": torch.zeros(len(ids), 2)}
        return rows_of_items(tensors, dataset="item_vectors", n_items=n_items)

    with pytest.raises(ValueError, match="item_vectors holds item_id 1 twice: run the pipeline that makes it again"):
        items(1, 0, 1)
    with pytest.raises(ValueError, match="item_vectors lacks 1 of 3 items, the first is item_id 1"):
        items(0, 2, 5)
    with pytest.raises(ValueError, match="states lacks 2 of 2 samples, the first is sample_id 3"):
        places_of([3, 4], np.array([], dtype=np.int64), dataset="states")
    with pytest.raises(ValueError, match="holds 4 items where the catalogue has 3"):
        rows_of_items({"item_id": torch.arange(4), "vector": torch.zeros(4, 1)}, dataset="item_vectors", n_items=3)
