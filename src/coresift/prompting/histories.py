"""The items of a sample's history as text, each distinct one rendered once."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from coresift.prompting.templates import CompiledTemplates
from coresift.ranking import list_lengths, list_rows


class ItemFields:
    """What templates may read of an item, by item id.

    Args:
        items: Table ``items``; row = item id.
    """

    def __init__(self, items: pa.Table) -> None:
        self._rows = [
            {"title": row["title"] or "", "categories": row["categories"] or [], "text": row["text"] or ""}
            for row in items.select(["title", "categories", "text"]).to_pylist()
        ]

    def __getitem__(self, item: int) -> dict[str, object]:
        """Title, categories and text of one item."""
        return self._rows[item]


def rendered_histories(
    samples: pa.Table, items: ItemFields, templates: CompiledTemplates, *, longest: int
) -> list[list[str]]:
    """Render the latest items of every sample's history.

    Args:
        samples: Table ``samples``.
        items: The catalogue.
        templates: Renders an item.
        longest: Items kept of each history.

    Returns:
        One list per sample, oldest item first.
    """
    rows, item = list_rows(samples["history"])
    rating = np.asarray(pc.fill_null(pc.list_flatten(samples["history_ratings"]), math.nan), dtype=np.float32)
    kept = _from_the_end(samples["history"]) < longest
    texts = _rendered(item[kept], rating[kept], items, templates)
    bounds = np.concatenate([[0], np.cumsum(np.bincount(rows[kept], minlength=len(samples)))]).tolist()
    return [texts[start:stop] for start, stop in pairwise(bounds)]


def rendered_responses(targets: NDArray[np.int64], items: ItemFields, templates: CompiledTemplates) -> list[str]:
    """Render the response for every target (N,)."""
    distinct, place = np.unique(targets, return_inverse=True)
    texts = [templates.response(items[item]) for item in distinct.tolist()]
    return [texts[position] for position in place.tolist()]


def _from_the_end(lists: pa.ChunkedArray) -> NDArray[np.int64]:
    """Return how many values follow each value in its own list."""
    lengths = list_lengths(lists)
    return np.repeat(np.cumsum(lengths), lengths) - 1 - np.arange(lengths.sum())


def _rendered(
    item: NDArray[np.int64], rating: NDArray[np.float32], items: ItemFields, templates: CompiledTemplates
) -> list[str]:
    grades, grade = np.unique(rating, return_inverse=True)
    distinct, place = np.unique(item * max(1, len(grades)) + grade, return_inverse=True)
    known = [None if math.isnan(value) else value for value in grades.tolist()]
    texts = [
        templates.history_item({**items[pair // len(grades)], "rating": known[pair % len(grades)]})
        for pair in distinct.tolist()
    ]
    return [texts[position] for position in place.tolist()]
