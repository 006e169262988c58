"""Iterative Transport Refinement of GORACS (arXiv 2506.04015, Algorithm 1), for comparison.

From the greedy start, medoids and outside rows are shortlisted by the marginal score F of Eq. 16 at the present
transport duals, and pairs are tried one after the other, each by a transport problem solved from scratch; the first
improvement is taken and everything is scored again.

The released code differs from the paper in three ways, which "itra_released" reproduces: F takes the R-th largest
reduced cost where the dual is maximal at the R-th smallest; the mask that leaves a medoid's own column minimum out
never takes effect; and shortlisted medoids are tried from the least promising one on.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray

from coresift.transport.lagrangian_bound import lower_tail_mean
from coresift.transport.medoid_search import MedoidSearch
from coresift.transport.price_ascent import Prices, price_at
from coresift.transport.removal import removal
from coresift.transport.row_costs import row_values

EXCHANGES = 100
SHORTLIST = 30


def itra(search: MedoidSearch, random_state: int) -> tuple[MedoidSearch, Prices, bool]:
    """Algorithm 1 as the paper intends it.

    Args:
        search: The greedy start.
        random_state: Not used; the method draws nothing.

    Returns:
        The search, prices for the bound, and False: a shortlist proves nothing.
    """
    return _exchange(search, is_released=False)


def itra_released(search: MedoidSearch, random_state: int) -> tuple[MedoidSearch, Prices, bool]:
    """Algorithm 1 as the released code behaves.

    Args:
        search: The greedy start.
        random_state: Not used; the method draws nothing.

    Returns:
        The search, prices for the bound, and False: a shortlist proves nothing.
    """
    return _exchange(search, is_released=True)


def _exchange(search: MedoidSearch, is_released: bool) -> tuple[MedoidSearch, Prices, bool]:
    for _ in range(EXCHANGES):
        if search.effort.is_spent or not _first_improvement(search, is_released):
            break
    return search, price_at(search.cost, search.rules, search.plan.target_potentials), False


def _first_improvement(search: MedoidSearch, is_released: bool) -> bool:
    inner, outer = _shortlists(search, is_released)
    for medoid, row in product(inner, outer):
        if search.effort.is_spent:
            return False
        if search.attempt(np.array([medoid]), np.array([row]), is_warm=False):
            return True
    return False


def _shortlists(search: MedoidSearch, is_released: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Medoids of largest score, in the order they are tried, and outside rows of smallest score."""
    gone = removal(search)
    score = _released_score if is_released else lower_tail_mean
    prices = torch.as_tensor(gone.prices, dtype=torch.float32, device=search.cost.device)
    outside = row_values(search.cost.blocks(), len(search.cost), lambda block: score(block.sub_(prices), search.share))
    outer = np.argsort(np.where(search.outside, outside, np.inf), kind="stable")[: min(SHORTLIST, search.outside.sum())]
    inside = gone.values
    if is_released:
        inside = _released_score(torch.as_tensor(search.rows - gone.prices), search.share).numpy()
    movable = np.flatnonzero(search.movable)
    inner = movable[np.argsort(inside[movable], kind="stable")][-SHORTLIST:]
    return inner if is_released else inner[::-1], outer


def _released_score(reduced: torch.Tensor, share: float) -> torch.Tensor:
    """F with the R-th largest reduced cost y in place of the R-th smallest: ``y + (n / V) sum_j min(a_j - y, 0)``."""
    rank = min(int(np.ceil(share - 1e-9)), reduced.shape[1])
    pivot = reduced.topk(rank, dim=1, largest=True).values[:, -1:]
    return pivot[:, 0] + (reduced - pivot).clamp_(max=0.0).sum(dim=1) / share
