"""Baselines that need no learning: popularity in two windows, and items bought together."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from coresift.evaluation.item_similarity import ItemSimilarity, NeighborVotes
from coresift.evaluation.masked_lists import rank_in_groups
from coresift.evaluation.options import EvaluationOptions
from coresift.ranking import Lists, padded_lists, top_items_from
from coresift.storage import TRAIN, VALID

NO_ITEM = -1


def most_popular(
    interactions: pa.Table, n_items: int, n_users: int, k: int, *, seen: Lists | None = None
) -> tuple[Tensor, Tensor]:
    """Rank by the number of training interactions, the same list for everybody but for what a user has seen.

    Args:
        interactions: Table `interactions`.
        n_items: Catalogue size M.
        n_users: Users U to rank for.
        k: Length of every list.
        seen: Per user the items that must not appear.

    Returns:
        Item ids (U, k), ties by the lowest id, and counts (U, k).
    """
    return _by_count(interactions, TRAIN, n_items, n_users, k, seen)


def popular_recently(
    interactions: pa.Table, n_items: int, n_users: int, k: int, *, seen: Lists | None = None
) -> tuple[Tensor, Tensor]:
    """Rank by the number of interactions in the validation split, the latest window before the test period.

    Where each user's own latest interactions are held out, that split is no window of time.
    Takes and returns what `most_popular` does.
    """
    return _by_count(interactions, VALID, n_items, n_users, k, seen)


def item_knn(
    interactions: pa.Table,
    n_items: int,
    histories: Lists,
    k: int,
    *,
    seen: Lists | None = None,
    history_length: int = EvaluationOptions.knn_history_length,
) -> tuple[Tensor, Tensor]:
    """Rank by the summed cosine similarity to a user's latest items (item-based neighbors, Sarwar et al., 2001).

    Two items are as similar as the sets of users who had both of them in the training split overlap. Memory is bounded
    however many items a user had.

    Args:
        interactions: Table `interactions`.
        n_items: Catalogue size M.
        histories: Items of U users, oldest first.
        k: Length of every list.
        seen: Per user the items that must not appear.
        history_length: Latest items of a user that vote.

    Returns:
        Item ids (U, k), ties by the lowest id, and summed similarities (U, k).
    """
    similarity = _cosine_similarity(interactions, n_items)
    votes = NeighborVotes(similarity, _latest_items(histories, history_length, n_items))
    return top_items_from(lambda block: torch.from_numpy(votes.scores(block)), len(histories), k, seen=seen)


def training_counts(interactions: pa.Table, n_items: int) -> Tensor:
    """Return the number of training interactions of every item (M,) float32."""
    return _counts(interactions, TRAIN, n_items)


def _counts(interactions: pa.Table, split: int, n_items: int) -> Tensor:
    rows = interactions.filter(pc.equal(interactions["split"], split))
    return torch.from_numpy(np.bincount(np.asarray(rows["item_id"], dtype=np.int64), minlength=n_items)).float()


def _by_count(
    interactions: pa.Table, split: int, n_items: int, n_users: int, k: int, seen: Lists | None
) -> tuple[Tensor, Tensor]:
    counts = _counts(interactions, split, n_items)

    def best(users: NDArray[np.int64], n: int) -> tuple[Tensor, Tensor]:
        ids, scores = top_items_from(lambda _: counts.unsqueeze(0), 1, n)
        return ids.expand(len(users), -1), scores.expand(len(users), -1)

    return best(np.arange(n_users), k) if seen is None else rank_in_groups(best, seen, k)[0]


def _cosine_similarity(interactions: pa.Table, n_items: int) -> ItemSimilarity:
    train = interactions.filter(pc.equal(interactions["split"], TRAIN))
    users = np.asarray(train["user_id"], dtype=np.int64)
    items = np.asarray(train["item_id"], dtype=np.int64)
    return ItemSimilarity(_indicator(users, items, (users.max(initial=-1) + 1, n_items)))


def _latest_items(histories: Lists, history_length: int, n_items: int) -> sparse.csr_array:
    latest = padded_lists(histories, history_length, padding=NO_ITEM)
    rows, columns = np.nonzero(latest != NO_ITEM)
    return _indicator(rows, latest[rows, columns], (len(histories), n_items)).astype(np.float32)


def _indicator(rows: NDArray[np.int64], columns: NDArray[np.int64], shape: tuple[int, int]) -> sparse.csr_array:
    matrix = sparse.csr_array((np.ones(len(rows)), (rows, columns)), shape=shape)
    matrix.data[:] = 1.0
    return matrix
