"""Lists with and without the history masked, from one pass of the model."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from torch import Tensor

from coresift.ranking import Lists, list_lengths, list_rows
from coresift.storage import SCHEMAS

COMMON_LENGTH = 512
"""Lists up to this length are made together."""


def rank_masked_and_unmasked(
    rank: Callable[[int], tuple[Tensor, Tensor]], seen: Lists, k: int
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Return the masked and the unmasked lists, asking the model once.

    The unmasked list is made long enough to hold k items even after the longest history is taken out of it, which
    gives exactly the list that masking before ranking would.

    Args:
        rank: Returns ids and scores (U, n) of the best n items of every user, nothing masked.
        seen: The history of every user.
        k: Length of the lists wanted.

    Returns:
        (ids, scores) with the history masked, and (ids, scores) without, each (U, k).
    """
    ids, scores = rank(k + int(list_lengths(seen).max(initial=0)))
    return without_seen(ids, scores, seen, k), (ids[:, :k], scores[:, :k])


def rank_in_groups(
    rank: Callable[[NDArray[np.int64], int], tuple[Tensor, Tensor]], seen: Lists, k: int
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Return the masked and the unmasked lists, with users of long histories ranked apart from all others.

    Lists have to be longer by the history; one heavy user's would otherwise make everybody's as long.

    Args:
        rank: Returns ids and scores (u, n) of the best n items of some users, by their positions, nothing masked.
        seen: The history of every user.
        k: Length of the lists wanted.

    Returns:
        As :func:`rank_masked_and_unmasked`.
    """
    groups = _groups_of_length(k + list_lengths(seen))
    if len(groups) == 1:
        return rank_masked_and_unmasked(lambda n: rank(groups[0], n), seen, k)
    masked, unmasked = (
        (torch.full((len(seen), k), -1), torch.full((len(seen), k), -torch.inf)) for _ in range(2)
    )  # fmt: skip
    for users in groups:
        found = rank_masked_and_unmasked(partial(rank, users), seen.take(pa.array(users)), k)
        for lists, part in zip((masked, unmasked), found, strict=True):
            for whole, own in zip(lists, part, strict=True):
                whole[torch.from_numpy(users)] = own
    return masked, unmasked


def _groups_of_length(lengths: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Positions of the lists of common lengths, and of those up to twice, four times, ... as long."""
    doublings = np.ceil(np.log2(np.maximum(lengths, COMMON_LENGTH) / COMMON_LENGTH))
    return [np.flatnonzero(doublings == one) for one in np.unique(doublings)]


def without_seen(ids: Tensor, scores: Tensor, seen: Lists, k: int) -> tuple[Tensor, Tensor]:
    """Take seen items out of lists (U, n) and return the first k of what is left, padded with -1 and -inf."""
    rows, items = list_rows(seen)
    width = max(int(ids.max()) if ids.numel() else 0, int(items.max(initial=0))) + 1
    cells = torch.arange(len(ids))[:, None] * width + ids
    blocked = torch.from_numpy(np.isin(cells.numpy(), rows * width + items)) | (ids < 0)
    order = blocked.to(torch.uint8).sort(dim=1, stable=True).indices[:, :k]
    kept_ids, kept_scores, gone = ids.gather(1, order), scores.gather(1, order), blocked.gather(1, order)
    return kept_ids.masked_fill(gone, -1), kept_scores.masked_fill(gone, -torch.inf)


def rankings_table(sample_id: pa.Array | pa.ChunkedArray, ids: Tensor, scores: Tensor) -> pa.Table:
    """Return lists as a table sample_id, items, scores; padding is dropped, so lists may be short."""
    kept = (ids >= 0).numpy()
    offsets = pa.array(np.concatenate([[0], np.cumsum(kept.sum(axis=1))]), pa.int32())
    return pa.table(
        {
            "sample_id": sample_id.cast(pa.int32()),
            "items": pa.ListArray.from_arrays(offsets, pa.array(ids.numpy()[kept], pa.int32())),
            "scores": pa.ListArray.from_arrays(offsets, pa.array(scores.numpy()[kept], pa.float32())),
        }
    )


def method_rankings_of(rankings: pa.Table, method: str, *, masked: bool) -> pa.Table:
    """Return a table of lists with its method and whether the history was masked."""
    n_rows = rankings.num_rows
    columns = {"method": pa.repeat(pa.scalar(method), n_rows), "masked": pa.repeat(pa.scalar(masked), n_rows)}
    return pa.table(columns | {name: rankings[name] for name in rankings.column_names}, SCHEMAS["method_rankings"])


def combine_rankings(*tables: pa.Table) -> pa.Table:
    """Put the lists of several methods into one table."""
    return pa.concat_tables(tables)


def masked_rankings(rankings: pa.Table, method: str) -> pa.Table:
    """Return sample_id, items, scores of one method's masked lists."""
    chosen = rankings.filter((pc.field("method") == method) & pc.field("masked"))
    return chosen.select(["sample_id", "items", "scores"]).combine_chunks()
