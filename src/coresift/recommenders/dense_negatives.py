"""What a target is told apart from: random items, items like it, and how often each stands in a pool by chance."""

from __future__ import annotations

import pyarrow as pa
import torch
from torch import Tensor

from coresift.ranking import top_items

NEIGHBOURS = 64
"""Items like a target from which its hard negatives are drawn."""


def nearest_items(item_vectors: Tensor) -> Tensor:
    """Return the items most like every item (M, at most 64), without itself; -1 pads short rows.

    Args:
        item_vectors: (M, d) unit vectors.
    """
    itself = pa.array([[item] for item in range(len(item_vectors))], pa.list_(pa.int32()))
    return top_items(item_vectors, item_vectors, min(NEIGHBOURS, max(1, len(item_vectors) - 1)), seen=itself)[0]


def draw_hard_negatives(targets: Tensor, neighbours: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Draw ``count`` of each target's neighbours (B * count,); a target without any stands in for itself."""
    places = torch.randint(neighbours.shape[1], (len(targets), count), generator=generator)
    drawn = neighbours[targets].gather(1, places)
    return torch.where(drawn >= 0, drawn, targets[:, None]).flatten()


def log_expected_counts(
    target_share: Tensor, *, batch_size: int, n_random: int, n_hard: int = 0, neighbours: Tensor | None = None
) -> Tensor:
    """Return the logarithm (M,) of how often every item is expected in a pool of targets, random items and neighbours.

    Taken from the logits, it keeps popular items, which are in-batch negatives more often, from being pushed down for
    that alone (the correction of Yi et al., RecSys 2019).

    Args:
        target_share: (M,) share of the training samples that have each item as target.
        batch_size: Targets of a pool.
        n_random: Uniformly drawn items of a pool.
        n_hard: Neighbours drawn for each target.
        neighbours: (M, H) items that they are drawn from, where any are; -1: the target itself.
    """
    share = target_share
    if neighbours is not None:
        drawn = torch.where(neighbours >= 0, neighbours, torch.arange(len(neighbours))[:, None])
        chance = (n_hard / neighbours.shape[1] * target_share)[:, None].expand(drawn.shape)
        share = share.index_add(0, drawn.flatten(), chance.flatten())
    expected = batch_size * share + n_random / len(share)
    return expected.clamp(min=1 / len(share) ** 2).log()
