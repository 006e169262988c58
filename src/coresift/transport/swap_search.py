"""Exchanges of medoids for outside rows, priced by the transport duals and decided by exact solves."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from coresift.transport.active_rows import ActiveRows
from coresift.transport.alternation import alternate
from coresift.transport.lagrangian_bound import lower_tail_mean
from coresift.transport.medoid_search import IMPROVEMENT, MedoidSearch
from coresift.transport.removal import Removal, removal

LARGEST_OVERLAP = 0.5
CANDIDATES_PER_MEDOID = 64
SOLVES_PER_MEDOID = 3


def swap_in_batches(search: MedoidSearch, active: ActiveRows) -> None:
    """Exchanges many medoids per solve, as long as that helps; the batch is halved when it does not.

    The rows of least reduced value come in, unless they would serve what another one already claims, and the medoids
    that are easiest to do without go. After each success medoids settle by alternation.

    Args:
        search: the search to improve.
        active: rows that may come in.
    """
    size = max(1, len(search.indices) // 8)
    while size >= 1 and not search.effort.is_spent:
        leaving, entering = _batch(search, active, size)
        if not len(leaving):
            return
        size = min(size, len(leaving))
        if search.attempt(leaving, entering):
            alternate(search, active)
            size *= 2
        else:
            size //= 2


def swap_one_by_one(search: MedoidSearch, active: ActiveRows) -> None:
    """Tries every medoid's most promising exchanges until a whole round brings nothing.

    Args:
        search: the search to improve.
        active: rows that may come in.
    """
    improved = True
    while improved and not search.effort.is_spent:
        improved = False
        order = _by_removal_value(search, removal(search))
        for medoid in order:
            if search.effort.is_spent:
                return
            while not search.effort.is_spent and _improve(search, active, int(medoid)):
                improved = True


def _by_removal_value(search: MedoidSearch, gone: Removal) -> NDArray[np.int64]:
    order = np.argsort(-gone.values, kind="stable")
    return order[search.movable[order]]


def _batch(search: MedoidSearch, active: ActiveRows, size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Up to `size` medoids to take out and as many rows that claim different validation rows."""
    gone = removal(search)
    leaving = _by_removal_value(search, gone)
    rows, values, claims = _cheapest_outside(search, active, gone.prices, 4 * size)
    taken = np.zeros(len(gone.prices), dtype=bool)
    entering: list[int] = []
    for row, value, claim in zip(rows, values, claims, strict=True):
        if len(entering) == min(size, len(leaving)) or value >= gone.values[leaving[len(entering)]]:
            break
        if taken[claim].mean() < LARGEST_OVERLAP:
            entering.append(int(row))
            taken[claim] = True
    return leaving[: len(entering)], np.asarray(entering, dtype=np.int64)


def _cheapest_outside(
    search: MedoidSearch, active: ActiveRows, prices: NDArray[np.float64], count: int
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """The outside rows of least reduced value, their values, and the validation rows they would claim."""
    reduced = active.costs - torch.as_tensor(prices, dtype=torch.float32, device=active.device)
    values = lower_tail_mean(reduced, search.share).double().cpu().numpy()
    values[~search.outside[active.positions]] = np.inf
    best = np.argsort(values, kind="stable")[:count]
    best = best[np.isfinite(values[best])]
    n_claims = max(1, int(np.ceil(search.share - 1e-9)))
    chosen = torch.as_tensor(best, device=active.device)
    claims = reduced[chosen].topk(n_claims, dim=1, largest=False).indices.cpu().numpy()
    return active.positions[best], values[best], claims


def _improve(search: MedoidSearch, active: ActiveRows, medoid: int) -> bool:
    """Tries the exchanges of one medoid in the order of their lower bounds, skipping those that cannot help."""
    gone = removal(search)
    prices = torch.as_tensor(gone.prices_without(medoid), dtype=torch.float32, device=active.device)
    places = _promising(search, active, gone, medoid)
    if not len(places) or not torch.isfinite(prices).all():
        return False
    rows = torch.as_tensor(places, device=active.device)
    worth = lower_tail_mean(active.costs[rows] - prices, search.share).double().cpu().numpy()
    bounds = search.objective + (worth - gone.values[medoid]) / len(search.indices)
    for best in np.argsort(bounds, kind="stable")[:SOLVES_PER_MEDOID]:
        if bounds[best] >= search.objective - IMPROVEMENT or search.effort.is_spent:
            return False
        if search.attempt(np.array([medoid]), active.positions[places[[best]]]):
            return True
    return False


def _promising(search: MedoidSearch, active: ActiveRows, gone: Removal, medoid: int) -> NDArray[np.int64]:
    """Places among the active rows: the cheapest outside rows, and those near what the medoid serves."""
    prices = torch.as_tensor(gone.prices, dtype=torch.float32, device=active.device)
    served = torch.as_tensor(search.plan.plan[[medoid]].indices, dtype=torch.int64, device=active.device)
    measures = (
        lower_tail_mean(active.costs - prices, search.share),
        active.costs[:, served].mean(dim=1),
    )
    closed = torch.as_tensor(~search.outside[active.positions], device=active.device)
    count = min(CANDIDATES_PER_MEDOID, int((~closed).sum()))
    best = [measure.masked_fill(closed, torch.inf).topk(count, largest=False).indices for measure in measures]
    return np.unique(torch.cat(best).cpu().numpy())
