"""From a text that a model wrote to the items that it may have meant: distances between last-token states.

The grounding of BIGRec (arXiv 2308.08434): text and titles are embedded by the base model, without the adapter.
"""

from __future__ import annotations

import torch
from torch import Tensor

from coresift.ranking import Lists, top_items_from

CELLS_PER_BLOCK = 8_000_000
"""Distances held at once: 32 MB in float32."""


def ground(
    queries: Tensor,
    titles: Tensor,
    title_of_item: Tensor,
    k: int,
    *,
    popularity: Tensor | None = None,
    popularity_weight: float = 0.0,
    seen: Lists | None = None,
) -> tuple[Tensor, Tensor]:
    """Rank items by their distance to each query, nearest first.

    With a weight the distances of a row, scaled to 0 to 1, are multiplied by (1 + popularity) ** -weight, which lets
    popular items come nearer.

    Args:
        queries: (U, d) vectors of the written texts.
        titles: (D, d) vectors of the distinct titles.
        title_of_item: (M,) row of every item's title; items of one title are equally near, to the bit.
        k: Length of every list.
        popularity: (M,) interactions of every item, scaled here to 0 to 1.
        popularity_weight: Exponent; 0 leaves the distances as they are.
        seen: Per query the items that must not appear.

    Returns:
        Item ids (U, k) int64 and negative distances (U, k) float32.

    Raises:
        ValueError: If a weight is given without popularity.
    """
    if popularity_weight and popularity is None:
        raise ValueError(
            "recommender.title_generation.popularity_weight needs the number of interactions of every item: pass "
            "item_counts, or set it to 0"
        )
    center = titles.mean(0)
    moved_titles, moved_queries = titles - center, queries - center
    squares = moved_titles.square().sum(1)
    factor = _closeness(popularity, popularity_weight) if popularity is not None and popularity_weight else None

    def scores(block: slice) -> Tensor:
        rows = moved_queries[block]
        squared = rows.square().sum(1, keepdim=True) + squares - 2 * rows @ moved_titles.T
        distances = squared.clamp(min=0).sqrt()[:, title_of_item]
        return -distances if factor is None else -_scaled_rows(distances) * factor

    rows_per_block = max(1, CELLS_PER_BLOCK // len(title_of_item))
    return top_items_from(scores, len(queries), k, seen=seen, block_size=rows_per_block)


def _closeness(popularity: Tensor, weight: float) -> Tensor:
    counts = popularity.float()
    scaled = (counts - counts.min()) / (counts.max() - counts.min()).clamp(min=1)
    return (1 + scaled) ** -weight


def _scaled_rows(distances: Tensor) -> Tensor:
    low, high = distances.amin(1, keepdim=True), distances.amax(1, keepdim=True)
    return (distances - low) / (high - low).clamp(min=torch.finfo(distances.dtype).tiny)
