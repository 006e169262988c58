"""Rows found by their ids: how every reader joins a dataset, whatever order its rows come in."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor


def places_of(wanted: ArrayLike, known: ArrayLike, *, dataset: str, key: str = "sample_id") -> NDArray[np.int64]:
    """Return where ids stand among the ids of a dataset.

    Args:
        wanted: (N,) ids to find.
        known: (M,) ids of the dataset's rows, in any order.
        dataset: What the dataset is called in an error.
        key: What the ids are called in an error.

    Returns:
        (N,) positions.

    Raises:
        ValueError: If the dataset holds an id twice, or lacks some that are wanted.
    """
    asked, ids = np.asarray(wanted, dtype=np.int64), np.asarray(known, dtype=np.int64)
    order = np.argsort(ids, kind="stable")
    ascending = ids[order]
    twice = ascending[1:][ascending[1:] == ascending[:-1]]
    if len(twice):
        raise ValueError(f"{dataset} holds {key} {twice[0]} twice: run the pipeline that makes it again.")
    places = np.searchsorted(ascending, asked).clip(max=max(0, len(ids) - 1))
    missing = asked[ascending[places] != asked] if len(ids) else asked
    if len(missing):
        kind = key.removesuffix("_id") + "s"
        raise ValueError(
            f"{dataset} lacks {len(missing)} of {len(asked)} {kind}, the first is {key} {missing[0]}: "
            "run the pipeline that makes it again."
        )
    return order[places]


def rows_of(
    tensors: Mapping[str, Tensor], name: str, wanted: ArrayLike, *, dataset: str, key: str = "sample_id"
) -> Tensor:
    """Return the rows (N, ...) of a tensor dataset that belong to some ids.

    Args:
        tensors: The dataset, whose ids are its tensor ``key``.
        name: Which of its tensors.
        wanted: (N,) ids.
        dataset: What the dataset is called in an error.
        key: Name of the ids.

    Raises:
        ValueError: If the dataset holds an id twice, or lacks some.
    """
    values = tensors[name]
    places = places_of(wanted, tensors[key].cpu().numpy(), dataset=dataset, key=key)
    if len(places) == len(values) and (places == np.arange(len(places))).all():
        return values
    return values[torch.from_numpy(places).to(values.device)]


def rows_of_items(
    tensors: Mapping[str, Tensor], *, dataset: str, n_items: int | None = None, name: str = "vector"
) -> Tensor:
    """Return the rows (M, ...) of a tensor dataset about items, so that row = item id.

    Args:
        tensors: The dataset with its ``item_id``.
        dataset: What the dataset is called in an error.
        n_items: Catalogue size M; None takes as many as the dataset holds.
        name: Which of its tensors.

    Raises:
        ValueError: If the dataset does not hold every item of the catalogue once, and no other.
    """
    return rows_of(tensors, name, _catalogue(len(tensors["item_id"]), n_items, dataset), dataset=dataset, key="item_id")


def table_of_items(table: pa.Table, *, dataset: str, n_items: int | None = None) -> pa.Table:
    """Return a table about items in the order of its ``item_id``, so that row = item id; see `rows_of_items`."""
    wanted = _catalogue(len(table), n_items, dataset)
    places = places_of(wanted, table["item_id"].to_numpy(), dataset=dataset, key="item_id")
    return table if (places == wanted).all() else table.take(pa.array(places))


def _catalogue(n_rows: int, n_items: int | None, dataset: str) -> NDArray[np.int64]:
    if n_items is not None and n_rows > n_items:
        raise ValueError(
            f"{dataset} holds {n_rows} items where the catalogue has {n_items}: run the pipeline that makes it again."
        )
    return np.arange(n_rows if n_items is None else n_items)
