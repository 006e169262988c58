"""Cosine similarity of items by the users who had both, and what users vote for with it, in bounded memory.

A user with n items makes n * n pairs of items, so that one heavy user's pairs can be more than all others' together.
Rows of the matrix are therefore made when they are asked for, a bounded number of pairs at a time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

PAIRS_AT_ONCE = 2**24
"""Pairs of items that are computed together: about 400 MB while they are."""
PAIRS_HELD = 2**25
"""Pairs that stay in memory: about 270 MB."""


class ItemSimilarity:
    """Rows of the symmetric matrix (M, M) ``|users of both| / sqrt(|users of one| * |users of the other|)``.

    The similarity of an item to itself counts as 0.

    Args:
        baskets: (U, M) one where a user had an item.
    """

    def __init__(self, baskets: sparse.csr_array) -> None:
        self._by_user = baskets
        self._by_item = baskets.T.tocsr()
        self._scale = 1.0 / np.sqrt(np.maximum(baskets.sum(axis=0), 1.0))
        reached = self._by_item @ np.diff(baskets.indptr).astype(np.float64)
        self.row_bounds: NDArray[np.int64] = np.minimum(reached, baskets.shape[1]).astype(np.int64)
        """(M,) pairs of every item at most."""

    @property
    def nnz(self) -> int:
        """Ordered pairs of different items that share a user."""
        items = np.arange(self._by_item.shape[0])
        with_itself = sum((self._by_item[part] @ self._by_user).nnz for part in self._parts(items))
        return int(with_itself - (np.diff(self._by_item.indptr) > 0).sum())

    def rows(self, items: NDArray[np.int64]) -> sparse.csr_array:
        """Return the rows of some items (k, M), float32."""
        parts = [self._scaled(part) for part in self._parts(items)]
        empty = sparse.csr_array((0, self._by_item.shape[0]), dtype=np.float32)
        return sparse.vstack([empty, *parts], format="csr")

    def _parts(self, items: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Cut items into runs of few enough pairs, of one item at least."""
        part = np.cumsum(self.row_bounds[items]) // PAIRS_AT_ONCE
        return np.split(items, np.flatnonzero(np.diff(part)) + 1) if len(items) else []

    def _together(self, items: NDArray[np.int64]) -> sparse.csr_array:
        """How many users had both an item (rows) and another one (columns)."""
        counts = (self._by_item[items] @ self._by_user).tocsr()
        owner = np.repeat(items, np.diff(counts.indptr))
        counts.data[counts.indices == owner] = 0.0
        counts.eliminate_zeros()
        return counts

    def _scaled(self, items: NDArray[np.int64]) -> sparse.csr_array:
        left, right = sparse.diags_array(self._scale[items]), sparse.diags_array(self._scale)
        return (left @ self._together(items) @ right).astype(np.float32).tocsr()


class NeighborVotes:
    """Sums of the similarities to the items that users vote with.

    The rows of the items with most pairs are kept, as far as they fit; all others are made for each block anew.

    Args:
        similarity: The similarity of M items.
        votes: (U, M) float32, one where a user votes with an item.
    """

    def __init__(self, similarity: ItemSimilarity, votes: sparse.csr_array) -> None:
        self.similarity = similarity
        self._items = np.unique(votes.indices).astype(np.int64)
        self._votes = votes[:, self._items]
        bounds = similarity.row_bounds[self._items]
        largest_first = np.argsort(-bounds, kind="stable")
        held = np.sort(largest_first[np.cumsum(bounds[largest_first]) <= PAIRS_HELD])
        self._held = similarity.rows(self._items[held])
        self._held_row = np.full(len(self._items), -1)
        self._held_row[held] = np.arange(len(held))
        self._open_pairs = np.where(self._held_row < 0, bounds, 0)

    def scores(self, users: slice) -> NDArray[np.float32]:
        """Return the sums (b, M) of some users."""
        votes = self._votes[users]
        voter = np.repeat(np.arange(votes.shape[0]), np.diff(votes.indptr))
        pairs = np.bincount(voter, self._open_pairs[votes.indices], minlength=votes.shape[0])
        part = (np.cumsum(pairs) // PAIRS_AT_ONCE).astype(np.int64)
        runs = np.split(np.arange(len(part)), np.flatnonzero(np.diff(part)) + 1)
        return np.concatenate([self._summed(votes[run]) for run in runs])

    def _summed(self, votes: sparse.csr_array) -> NDArray[np.float32]:
        used = np.unique(votes.indices)
        is_held = self._held_row[used] >= 0
        fresh = self.similarity.rows(self._items[used[~is_held]])
        rows = sparse.vstack([self._held[self._held_row[used[is_held]]], fresh], format="csr")
        # Votes are added up in the order of their items, whether a row was held or not.
        ordered = rows[np.argsort(np.concatenate([used[is_held], used[~is_held]]))]
        return np.asarray((votes[:, used] @ ordered).toarray())
