"""Metrics of ranked lists per user: recall, NDCG, hit rate and reciprocal rank."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import ArrayLike, NDArray

from coresift.ranking.ragged import list_rows

METRIC_KINDS = ("recall", "ndcg", "hit_rate", "mrr")


def ranking_metrics(
    top_items: ArrayLike | torch.Tensor,
    targets: Sequence[Collection[int]] | pa.ListArray | pa.ChunkedArray,
    ks: Sequence[int] = (5, 10, 20, 50),
) -> dict[str, NDArray[np.float64]]:
    """Compute metrics per user from ranked lists.

    recall@k is the share of the user's targets within the first k; ndcg@k the discounted gain 1/log2(rank + 1)
    divided by that of a perfect list of min(number of targets, k) hits; hit_rate@k is 1 if any target is within the
    first k; mrr@k is 1 / rank of the first hit within k, else 0.

    Args:
        top_items: (U, K) item ids, best first; -1 pads short lists.
        targets: Per user a collection of item ids, treated as a set.
        ks: Cut-offs.

    Returns:
        Arrays (U,) float64 by name ("recall@10", ...); NaN for users without targets, to be left out of means.

    Raises:
        ValueError: K is below the largest cut-off, a list names an item twice, the numbers of users differ, or an id
            or cut-off is out of range.
    """
    lists = np.asarray(top_items)
    _check_lists(lists, len(targets), ks)
    rows, items = _distinct_pairs(*_target_pairs(targets))
    hits = _hits(lists, rows, items)
    n_targets = np.bincount(rows, minlength=len(lists)).astype(np.float64)
    n_targets[n_targets == 0] = np.nan
    return {f"{kind}@{k}": _METRICS[kind](hits[:, :k], n_targets) for k in ks for kind in METRIC_KINDS}


def _check_lists(lists: NDArray[np.int64], n_users: int, ks: Sequence[int]) -> None:
    if lists.ndim != 2 or len(lists) != n_users:
        raise ValueError(f"Lists of shape {lists.shape} for {n_users} users: pass one row of item ids per user.")
    if not ks or min(ks) < 1:
        raise ValueError(f"Cut-offs {tuple(ks)} are not usable: pass whole numbers from 1.")
    if lists.shape[1] < max(ks):
        raise ValueError(f"Lists of {lists.shape[1]} items are too short for a cut-off of {max(ks)}: rank more items.")
    ordered = np.sort(lists, axis=1)
    twice = ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] != -1)).any(axis=1)
    if twice.any():
        raise ValueError(f"The list in row {int(twice.argmax())} names an item twice: rank every item once.")


def _target_pairs(
    targets: Sequence[Collection[int]] | pa.ListArray | pa.ChunkedArray,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    if isinstance(targets, pa.Array | pa.ChunkedArray):
        return list_rows(targets)
    rows = np.repeat(np.arange(len(targets)), [len(target) for target in targets])
    return rows, np.fromiter((int(item) for target in targets for item in target), np.int64, len(rows))


def _distinct_pairs(rows: NDArray[np.int64], items: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    if items.min(initial=0) < 0:
        raise ValueError(f"A target has the id {int(items.min())}: item ids start at 0.")
    pairs = np.unique(np.stack([rows, items]), axis=1)
    return pairs[0], pairs[1]


def _hits(lists: NDArray[np.int64], rows: NDArray[np.int64], items: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return (U, K): 1 where the listed item is a target of the user."""
    known, codes = np.unique(items, return_inverse=True)
    place = np.searchsorted(known, lists)
    place[place == len(known)] = 0
    listed = known[place] == lists if len(known) else np.zeros(lists.shape, dtype=bool)
    cells = np.arange(len(lists))[:, None] * max(1, len(known)) + place
    return (listed & np.isin(cells, rows * max(1, len(known)) + codes)).astype(np.float64)


def _recall(hits: NDArray[np.float64], n_targets: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(hits.sum(axis=1) / n_targets)


def _ndcg(hits: NDArray[np.float64], n_targets: NDArray[np.float64]) -> NDArray[np.float64]:
    discounts = 1.0 / np.log2(np.arange(2, hits.shape[1] + 2))
    ideal = np.concatenate([[np.nan], np.cumsum(discounts)])
    n_ideal = np.minimum(np.nan_to_num(n_targets), hits.shape[1]).astype(np.int64)
    return np.asarray(hits @ discounts / ideal[n_ideal])


def _hit_rate(hits: NDArray[np.float64], n_targets: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isnan(n_targets), np.nan, hits.max(axis=1))


def _mrr(hits: NDArray[np.float64], n_targets: NDArray[np.float64]) -> NDArray[np.float64]:
    return _hit_rate(hits, n_targets) / (1.0 + hits.argmax(axis=1))


_METRICS = {"recall": _recall, "ndcg": _ndcg, "hit_rate": _hit_rate, "mrr": _mrr}
