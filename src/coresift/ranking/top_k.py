"""The best items of every user: blocks of scores, seen items masked, ties broken by the lowest item id."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from coresift.ranking.block_best import best_by_score, best_of_block
from coresift.ranking.ragged import Lists, list_lengths

ITEMS_PER_BLOCK = 32_768
"""Items scored at once: a larger catalogue is ranked in parts, whose best items are merged."""
CELLS_PER_BLOCK = 4_000_000
"""Scores held at once: 16 MB in float32, which stays near the processor."""


def top_items(
    queries: Tensor,
    items: Tensor,
    k: int,
    *,
    seen: Lists | None = None,
    block_size: int | None = None,
    items_per_block: int = ITEMS_PER_BLOCK,
) -> tuple[Tensor, Tensor]:
    """Rank the whole catalogue by the inner product of user and item vectors.

    The list is exact whatever the blocks; no more than one block of scores is held at a time.

    Args:
        queries: (U, d) user vectors.
        items: (M, d) item vectors; row = item id.
        k: Length of every list.
        seen: Per user the items that must not appear.
        block_size: Users scored at once; by default as many as fit `CELLS_PER_BLOCK` scores.
        items_per_block: Items scored at once.

    Returns:
        Item ids (U, k) int64, best first, and their scores (U, k) float32, both on the CPU. Equal scores are
        ordered by the lowest id. Where fewer than k items remain, the id is -1 and the score -inf.

    Raises:
        ValueError: Vectors of unequal width, k below 1, `seen` of another length, or a score that is not a number.
    """
    if queries.ndim != 2 or items.ndim != 2 or queries.shape[1] != items.shape[1]:
        shapes = f"{tuple(queries.shape)} and {tuple(items.shape)}"
        raise ValueError(f"Queries and items must be matrices of equal width, not {shapes}: pass (U, d) and (M, d).")
    _check(len(queries), k, seen)
    cells = None if seen is None else SeenCells(seen)
    width = min(len(items), items_per_block)
    height = min(len(queries), block_size or max(1, CELLS_PER_BLOCK // max(1, width)))
    queries, transposed = queries.detach(), items.detach().T
    buffer = torch.empty(height * width, dtype=torch.result_type(queries, items), device=items.device)
    ids, scores = _empty_lists(len(queries), k)
    for start in range(0, len(queries), max(1, height)):
        rows = slice(start, min(start + height, len(queries)))
        parts = [
            _best_of_part(queries[rows], transposed, columns, k, rows=rows, cells=cells, buffer=buffer)
            for columns in _slices(len(items), width)
        ]
        best = parts[0] if len(parts) == 1 else _merged(parts, k)
        _fill(ids, scores, rows, *best)
    return ids, scores


def top_items_from(
    score_block: Callable[[slice], Tensor],
    n_users: int,
    k: int,
    *,
    seen: Lists | None = None,
    block_size: int = 128,
) -> tuple[Tensor, Tensor]:
    """Rank the whole catalogue with any scorer that can score a block of users.

    Args:
        score_block: Maps a slice of users to their scores (b, M); item id = column.
        n_users: Number of users U.
        k: Length of every list.
        seen: Per user the items that must not appear.
        block_size: Users scored at once.

    Returns:
        Item ids (U, k) int64 and scores (U, k) float32 as `top_items` gives them.

    Raises:
        ValueError: K below 1, `seen` of another length than the users, or a score that is not a number.
    """
    _check(n_users, k, seen)
    cells = None if seen is None else SeenCells(seen)
    ids, scores = _empty_lists(n_users, k)
    for rows in _slices(n_users, block_size):
        block = score_block(rows).detach().float()
        if cells is not None:
            block = cells.mask(block.clone(), rows)
        _fill(ids, scores, rows, *best_of_block(block, min(k, block.shape[1])))
    return ids, scores


class SeenCells:
    """Seen items as flat cells (row, item), cut into blocks by offsets.

    Args:
        seen: Per user the items that must not appear.
    """

    def __init__(self, seen: Lists) -> None:
        self.lengths = list_lengths(seen)
        self.offsets = np.concatenate([[0], np.cumsum(self.lengths)])
        flat = seen.combine_chunks() if isinstance(seen, pa.ChunkedArray) else seen
        self.items = torch.from_numpy(np.array(flat.flatten(), dtype=np.int64))

    def mask(self, scores: Tensor, rows: slice, columns: slice | None = None) -> Tensor:
        """Set seen items of a block of scores to minus infinity, in place, and return the block."""
        owner = torch.from_numpy(np.repeat(np.arange(rows.stop - rows.start), self.lengths[rows]))
        items = self.items[self.offsets[rows.start] : self.offsets[rows.stop]]
        if columns is not None:
            inside = (items >= columns.start) & (items < columns.stop)
            owner, items = owner[inside], items[inside] - columns.start
        blocked = torch.tensor(-torch.inf, dtype=scores.dtype, device=scores.device)
        return scores.index_put_((owner.to(scores.device), items.to(scores.device)), blocked)


def _best_of_part(
    queries: Tensor, items: Tensor, columns: slice, k: int, *, rows: slice, cells: SeenCells | None, buffer: Tensor
) -> tuple[Tensor, Tensor]:
    """Best items of a block of users among a part of the catalogue."""
    n_columns = columns.stop - columns.start
    scores = torch.mm(queries, items[:, columns], out=buffer[: len(queries) * n_columns].view(-1, n_columns))
    if cells is not None:
        cells.mask(scores, rows, columns)
    ids, values = best_of_block(scores, min(k, n_columns))
    return ids + columns.start, values


def _merged(parts: list[tuple[Tensor, Tensor]], k: int) -> tuple[Tensor, Tensor]:
    """Best of the best items of every part of the catalogue."""
    return best_by_score(torch.cat([ids for ids, _ in parts], 1), torch.cat([values for _, values in parts], 1), k)


def _check(n_users: int, k: int, seen: Lists | None) -> None:
    if k < 1:
        raise ValueError(f"k = {k} leaves nothing to rank: ask for at least one item.")
    if seen is not None and len(seen) != n_users:
        raise ValueError(f"{len(seen)} lists of seen items for {n_users} users: pass one list per user.")


def _slices(length: int, width: int) -> list[slice]:
    return [slice(start, min(start + width, length)) for start in range(0, length, max(1, width))]


def _empty_lists(n_users: int, k: int) -> tuple[Tensor, Tensor]:
    return torch.full((n_users, k), -1, dtype=torch.int64), torch.full((n_users, k), -torch.inf)


def _fill(ids: Tensor, scores: Tensor, rows: slice, best_ids: Tensor, best_scores: Tensor) -> None:
    """Write the best of a block into its rows; what is blocked keeps the id -1."""
    width = best_ids.shape[1]
    ids[rows, :width] = torch.where(best_scores > -torch.inf, best_ids, -1).cpu()
    scores[rows, :width] = best_scores.float().cpu()
