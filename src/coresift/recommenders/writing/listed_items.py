"""From the sequences that a beam search found to lists of items."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from coresift.ranking import Lists, list_rows


def items_of_leaves(
    leaves: Tensor, scores: Tensor, leaf_of_item: Tensor, k: int, *, seen: Lists | None = None
) -> tuple[Tensor, Tensor]:
    """List the items of every sequence found, those that share one next to each other by their id.

    Args:
        leaves: (U, B) leaves of a tree, best first, -1 where nothing was found.
        scores: (U, B) their scores.
        leaf_of_item: (M,) the leaf in which each item's sequence ends.
        k: Length of every list.
        seen: Per row the items that must not appear.

    Returns:
        Item ids (U, k) int64, -1 behind a short list, and scores (U, k) float32, minus infinity there.
    """
    items = leaf_of_item.argsort(stable=True)
    sorted_leaves = leaf_of_item[items]
    first = torch.searchsorted(sorted_leaves, leaves)
    counts = torch.searchsorted(sorted_leaves, leaves, right=True) - first
    cells = torch.repeat_interleave(torch.arange(leaves.numel()), counts.flatten())
    within = torch.arange(len(cells)) - (counts.flatten().cumsum(0) - counts.flatten())[cells]
    listed = items[first.flatten()[cells] + within]
    rows = cells // leaves.shape[1]
    kept = ~_is_seen(rows, listed, seen, len(leaf_of_item))
    return _as_lists(rows[kept], listed[kept], scores.flatten()[cells[kept]], len(leaves), k)


def _is_seen(rows: Tensor, items: Tensor, seen: Lists | None, n_items: int) -> Tensor:
    if seen is None:
        return torch.zeros(len(rows), dtype=torch.bool)
    seen_rows, seen_items = list_rows(seen)
    return torch.from_numpy(np.isin((rows * n_items + items).numpy(), seen_rows * n_items + seen_items))


def _as_lists(rows: Tensor, items: Tensor, scores: Tensor, n_rows: int, k: int) -> tuple[Tensor, Tensor]:
    """Put pairs, whose rows ascend, into lists of k."""
    counts = torch.bincount(rows, minlength=n_rows)
    place = torch.arange(len(rows)) - (counts.cumsum(0) - counts)[rows]
    fits = place < k
    ids = torch.full((n_rows, k), -1)
    values = torch.full((n_rows, k), -torch.inf)
    ids[rows[fits], place[fits]] = items[fits]
    values[rows[fits], place[fits]] = scores[fits].float()
    return ids, values
