"""The items of a sample's history as text, each distinct one rendered once."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from coresift.prompting.templates import CompiledTemplates
from coresift.ranking import list_lengths, list_rows
from coresift.storage import table_of_items

Value = TypeVar("Value")


class ItemFields:
    """What templates may read of an item, by item id.

    Args:
        items: Table ``items``, rows in any order.
    """

    def __init__(self, items: pa.Table) -> None:
        items = table_of_items(items, dataset="items")
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
    return _by_sample(_rendered(item[kept], rating[kept], items, templates), rows[kept], len(samples))


def liked_items(samples: pa.Table, like_rating: float, *, longest: int) -> list[list[bool]]:
    """Tell which of the latest items of every sample's history were rated ``like_rating`` or better.

    An item without a rating counts as liked: the user chose it.

    Args:
        samples: Table ``samples``.
        like_rating: Lowest rating of an item that was liked.
        longest: Items kept of each history.

    Returns:
        One list per sample, oldest item first.
    """
    rows, _ = list_rows(samples["history"])
    kept = _from_the_end(samples["history"]) < longest
    liked = pc.fill_null(pc.greater_equal(pc.list_flatten(samples["history_ratings"]), like_rating), True)
    return _by_sample(np.asarray(liked, dtype=bool)[kept].tolist(), rows[kept], len(samples))


def _by_sample(values: list[Value], rows: NDArray[np.int64], count: int) -> list[list[Value]]:
    """Cut values, whose rows ascend, into one list per sample."""
    bounds = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=count))]).tolist()
    return [values[start:stop] for start, stop in pairwise(bounds)]


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
