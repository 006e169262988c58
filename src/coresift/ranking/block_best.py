"""The best columns of every row of a block of scores, without sorting the block.

The k best of a row lie in the k groups of columns with the highest maxima. One pass finds the maxima, whose own best
are found the same way, until few are left; then the choice comes back through the groups, among a few candidates each
time.
"""

from __future__ import annotations

import torch
from torch import Tensor

GROUP_SIZE = 8
"""Columns that share one maximum; they lie far apart, so that the maxima of neighbors are taken together."""
FEWEST_GROUPS = 4
"""Groups per wanted column from which their maxima pay."""


def best_of_block(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the ids and scores (b, k) of the k best columns, best first, ties by the lowest id.

    Args:
        scores: (b, M), M >= k.
        k: Columns wanted per row.

    Raises:
        ValueError: If a score is not a number.
    """
    ids, ambiguous = _highest(scores, k)
    values = scores.gather(1, ids)
    if values.isnan().any():
        raise ValueError("A score is not a number: check the model or its vectors for overflow before ranking.")
    if ambiguous.any():
        last = values[ambiguous].amin(1, keepdim=True)
        ids[ambiguous] = _lowest_ids(scores[ambiguous], last, k)
        values = scores.gather(1, ids)
    return best_by_score(ids, values, k)


def best_by_score(ids: Tensor, values: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the ids and values of the k best of candidates (b, C), best first, ties by the lowest id."""
    ids, order = ids.sort(dim=1)
    values, best = values.gather(1, order).sort(dim=1, descending=True, stable=True)
    return ids.gather(1, best[:, :k]), values[:, :k]


def _highest(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Columns (b, k) of the k highest scores in any order, and in which rows a tie leaves another choice (b,)."""
    n_groups = scores.shape[1] // GROUP_SIZE
    if n_groups < FEWEST_GROUPS * k:
        values, ids = scores.topk(k, dim=1, sorted=False)
        last = values.amin(1, keepdim=True)
        return ids, (scores == last).sum(1) > (values == last).sum(1)
    grouped = n_groups * GROUP_SIZE
    maxima = scores[:, :grouped].unflatten(1, (GROUP_SIZE, n_groups)).amax(1)
    groups, _ = _highest(maxima, k)
    members = (groups.unsqueeze(2) + torch.arange(0, grouped, n_groups, device=scores.device)).flatten(1)
    rest = torch.arange(grouped, scores.shape[1], device=scores.device).expand(len(scores), -1)
    columns = torch.cat([members, rest], dim=1)
    candidates = scores.gather(1, columns)
    values, places = candidates.topk(k, dim=1, sorted=False)
    last = values.amin(1, keepdim=True)
    within = (candidates == last).sum(1) > (values == last).sum(1)
    elsewhere = (maxima >= last).sum(1) > k
    return columns.gather(1, places), within | elsewhere


def _lowest_ids(scores: Tensor, last: Tensor, k: int) -> Tensor:
    """Ids of the k best where several columns share the k-th score: all better ones, then the lowest of the tied."""
    better, tied = scores > last, scores == last
    room = k - better.sum(1, keepdim=True)
    chosen = better | (tied & (tied.cumsum(1, dtype=torch.int32) <= room))
    return chosen.nonzero()[:, 1].view(len(scores), k)
