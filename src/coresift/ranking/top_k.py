"""The best items of every user: blocks of users, seen items masked, ties broken by the lowest item id."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from coresift.ranking.ragged import Lists, list_lengths

CELLS_PER_BLOCK = 8_000_000
"""Scores held at once: 32 MB in float32."""


def top_items(
    queries: Tensor, items: Tensor, k: int, *, seen: Lists | None = None, block_size: int | None = None
) -> tuple[Tensor, Tensor]:
    """Rank the whole catalogue by the inner product of user and item vectors.

    Args:
        queries: (U, d) user vectors.
        items: (M, d) item vectors; row = item id.
        k: length of every list.
        seen: per user the items that must not appear.
        block_size: users scored at once; by default as many as fit `CELLS_PER_BLOCK` scores.

    Returns:
        Item ids (U, k) int64, best first, and their scores (U, k) float32, both on the CPU. Equal scores are
        ordered by the lowest id. Where fewer than k items remain, the id is -1 and the score -inf.

    Raises:
        ValueError: vectors of unequal width, k below 1, `seen` of another length, or a score that is not a number.
    """
    if queries.ndim != 2 or items.ndim != 2 or queries.shape[1] != items.shape[1]:
        shapes = f"{tuple(queries.shape)} and {tuple(items.shape)}"
        raise ValueError(f"Queries and items must be matrices of equal width, not {shapes}: pass (U, d) and (M, d).")
    transposed = items.T
    rows_per_block = block_size or max(1, CELLS_PER_BLOCK // max(1, len(items)))
    return top_items_from(
        lambda block: queries[block] @ transposed, len(queries), k, seen=seen, block_size=rows_per_block
    )


def top_items_from(
    score_block: Callable[[slice], Tensor],
    n_users: int,
    k: int,
    *,
    seen: Lists | None = None,
    block_size: int = 512,
) -> tuple[Tensor, Tensor]:
    """Rank the whole catalogue with any scorer that can score a block of users.

    Args:
        score_block: maps a slice of users to their scores (b, M); item id = column.
        n_users: number of users U.
        k: length of every list.
        seen: per user the items that must not appear.
        block_size: users scored at once.

    Returns:
        Item ids (U, k) int64 and scores (U, k) float32 as `top_items` gives them.

    Raises:
        ValueError: k below 1, `seen` of another length than the users, or a score that is not a number.
    """
    if k < 1:
        raise ValueError(f"k = {k} leaves nothing to rank: ask for at least one item.")
    if seen is not None and len(seen) != n_users:
        raise ValueError(f"{len(seen)} lists of seen items for {n_users} users: pass one list per user.")
    ids = torch.full((n_users, k), -1, dtype=torch.int64)
    scores = torch.full((n_users, k), -torch.inf)
    cells = None if seen is None else _SeenCells(seen)
    for start in range(0, n_users, block_size):
        block = slice(start, min(start + block_size, n_users))
        block_scores = score_block(block).detach().float()
        if cells is not None:
            block_scores = cells.masked(block_scores, block)
        best_ids, best_scores = _best_of_block(block_scores, min(k, block_scores.shape[1]))
        ids[block, : best_ids.shape[1]] = torch.where(best_scores > -torch.inf, best_ids, -1).cpu()
        scores[block, : best_ids.shape[1]] = best_scores.cpu()
    return ids, scores


class _SeenCells:
    """Seen items as flat cells (row, item), cut into blocks by offsets."""

    def __init__(self, seen: Lists) -> None:
        self.lengths = list_lengths(seen)
        self.offsets = np.concatenate([[0], np.cumsum(self.lengths)])
        flat = seen.combine_chunks() if isinstance(seen, pa.ChunkedArray) else seen
        self.items = torch.from_numpy(np.array(flat.flatten(), dtype=np.int64))

    def masked(self, scores: Tensor, block: slice) -> Tensor:
        """Return a copy of the block's scores with seen items at minus infinity."""
        rows = torch.from_numpy(np.repeat(np.arange(block.stop - block.start), self.lengths[block]))
        items = self.items[self.offsets[block.start] : self.offsets[block.stop]]
        blocked = torch.tensor(-torch.inf, device=scores.device)
        return scores.index_put((rows.to(scores.device), items.to(scores.device)), blocked)


def _best_of_block(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    values, ids = scores.topk(k, dim=1)
    if values[:, :1].isnan().any():
        raise ValueError("A score is not a number: check the model or its vectors for overflow before ranking.")
    last = values[:, -1:]
    ambiguous = (scores == last).sum(1) > (values == last).sum(1)
    if ambiguous.any():
        ids[ambiguous] = _lowest_ids(scores[ambiguous], last[ambiguous], k)
    ids = ids.sort(dim=1).values
    values, order = scores.gather(1, ids).sort(dim=1, descending=True, stable=True)
    return ids.gather(1, order), values


def _lowest_ids(scores: Tensor, last: Tensor, k: int) -> Tensor:
    """Ids of the k best where several items share the k-th score: all better ones, then the lowest of the tied."""
    better, tied = scores > last, scores == last
    room = k - better.sum(1, keepdim=True)
    chosen = better | (tied & (tied.cumsum(1, dtype=torch.int32) <= room))
    return chosen.nonzero()[:, 1].view(len(scores), k)
