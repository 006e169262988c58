"""Text for a small language model to learn from, drawn from the catalogue and from nothing else.

No interaction is looked at, so that what the model knows of items does not leak from validation or test.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

LONGEST_LIST = 8
"""Titles in the longest list, about as many as a prompt's history holds."""

_SAME_CATEGORY_SHARE = 0.5


@dataclass(frozen=True)
class CatalogueText:
    """Titles, texts and categories of items, in the same order.

    Attributes:
        titles: What the items are called.
        texts: What a language model reads of them.
        categories: Path in the category tree as one string, empty if unknown.
    """

    titles: list[str]
    texts: list[str]
    categories: list[str]

    @classmethod
    def from_items(cls, items: pa.Table) -> CatalogueText:
        """Take titles, texts and categories from the table ``items``."""
        paths = [" > ".join(path or ()) for path in items["categories"].to_pylist()]
        titles = [title or "" for title in items["title"].to_pylist()]
        return cls(titles, [text or "" for text in items["text"].to_pylist()], paths)

    def split(self, held_out_share: float, random_state: int) -> tuple[CatalogueText, list[str]]:
        """Set a share of the distinct titles apart; items that bear one of them stay out of the training text.

        Returns:
            The text to train on, and the titles held out: at least one.

        Raises:
            ValueError: If the catalogue has fewer than two distinct titles.
        """
        distinct = sorted(set(self.titles) - {""})
        if len(distinct) < 2:
            raise ValueError("items: fewer than two distinct titles; set foundation.model to a model that exists")
        n_held_out = min(max(1, round(held_out_share * len(distinct))), len(distinct) - 1)
        chosen = np.random.default_rng(random_state).permutation(len(distinct))[:n_held_out]
        held_out = {distinct[position] for position in chosen}
        kept = [row for row, title in enumerate(self.titles) if title and title not in held_out]
        training = CatalogueText(
            *([column[row] for row in kept] for column in (self.titles, self.texts, self.categories))
        )
        return training, sorted(held_out)

    def draw_documents(self, count: int, generator: np.random.Generator) -> list[str]:
        """Draw documents to train on: the text of one item, or a list of titles that ends in a line of its own.

        Half the titles of a list are of the first one's category, so that the model learns to read a list as a whole.
        """
        lengths = generator.integers(1, LONGEST_LIST + 1, size=count)
        rows = generator.integers(len(self.titles), size=(count, LONGEST_LIST))
        peers = self._draw_peers(rows[:, 0], generator)
        rows[:, 1:] = np.where(generator.random(peers.shape) < _SAME_CATEGORY_SHARE, peers, rows[:, 1:])
        return [self._document(row[:length].tolist()) for row, length in zip(rows, lengths, strict=True)]

    def _draw_peers(self, leaders: NDArray[np.int64], generator: np.random.Generator) -> NDArray[np.int64]:
        order, start, size, category = self._members
        own = category[leaders][:, None]
        place = (generator.random((len(leaders), LONGEST_LIST - 1)) * size[own]).astype(np.int64)
        return order[start[own] + place]

    @cached_property
    def _members(self) -> tuple[NDArray[np.int64], ...]:
        """Rows ordered by category, where each category starts, its size, and the category of every row."""
        category = np.unique(self.categories, return_inverse=True)[1]
        size = np.bincount(category)
        return np.argsort(category, kind="stable"), np.cumsum(size) - size, size, category

    def _document(self, rows: list[int]) -> str:
        if len(rows) == 1:
            return self.texts[rows[0]]
        return "; ".join(self.titles[row] for row in rows[:-1]) + "\n" + self.titles[rows[-1]]
