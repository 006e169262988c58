"""Exchanges of many medoids at once, proposed by the transport duals and decided by one exact solve."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from coresift.transport.active_rows import ActiveRows
from coresift.transport.alternation import alternate
from coresift.transport.lagrangian_bound import lower_tail_mean
from coresift.transport.medoid_search import MedoidSearch
from coresift.transport.removal import removal

FIRST_SHARE = 1 / 8
LARGEST_OVERLAP = 0.5
PROPOSALS_PER_PLACE = 4


def swap_in_batches(search: MedoidSearch, active: ActiveRows) -> None:
    """Exchanges many medoids per solve, as long as that helps; the batch is halved when it does not.

    The rows of least reduced value come in, unless they would serve what another one already claims, and the medoids
    that are easiest to do without go. After each success medoids settle by alternation.

    Args:
        search: The search to improve.
        active: Rows that may come in.
    """
    size = max(1, int(FIRST_SHARE * len(search.indices)))
    while size >= 1 and not search.effort.is_spent:
        leaving, entering = _propose(search, active, size)
        if not len(leaving):
            return
        size = len(leaving)
        if search.attempt(leaving, entering):
            alternate(search, active)
            size *= 2
        else:
            size //= 2


def _propose(
    search: MedoidSearch, active: ActiveRows, size: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:  # fmt: skip
    """Up to `size` medoids to take out and as many rows that claim different validation rows."""
    gone = removal(search)
    leaving = np.argsort(-gone.values, kind="stable")
    leaving = leaving[search.movable[leaving]][:size]
    rows, values, claims = _cheapest_outside(search, active, gone.prices, PROPOSALS_PER_PLACE * size)
    taken = np.zeros(len(gone.prices), dtype=bool)
    entering: list[int] = []
    for row, value, claim in zip(rows, values, claims, strict=True):
        if len(entering) == len(leaving) or value >= gone.values[leaving[len(entering)]]:
            break
        if taken[claim].mean() < LARGEST_OVERLAP:
            entering.append(int(row))
            taken[claim] = True
    return leaving[: len(entering)], np.asarray(entering, dtype=np.int64)


def _cheapest_outside(
    search: MedoidSearch, active: ActiveRows, prices: NDArray[np.float64], count: int
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """Return the outside rows of least reduced value, their values, and the validation rows they would claim."""
    reduced = active.costs - torch.as_tensor(prices, dtype=torch.float32, device=active.device)
    values = lower_tail_mean(reduced, search.share).double().cpu().numpy()
    values[~search.outside[active.positions]] = np.inf
    places = np.argsort(values, kind="stable")[:count]
    places = places[np.isfinite(values[places])]
    n_claims = max(1, int(np.ceil(search.share - 1e-9)))
    chosen = reduced[torch.as_tensor(places, device=active.device)]
    claims = chosen.topk(n_claims, dim=1, largest=False).indices.cpu().numpy()
    return active.positions[places], values[places], claims
