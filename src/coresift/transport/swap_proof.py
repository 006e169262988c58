"""The proof that no exchange of one row lowers the objective, in float64."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from coresift.transport.lagrangian_bound import lower_tail_mean
from coresift.transport.medoid_search import IMPROVEMENT, MedoidSearch
from coresift.transport.removal import removal

PROOF_ENTRIES = 2**26


def prove_swap_optimum(search: MedoidSearch) -> bool:
    """Improves by single exchanges until it is proved that none is left.

    An exchange needs no solve if a lower bound on its objective is not below the present one. The duals of every
    solved exchange bound all other exchanges of the same medoid, so that few of them are solved.

    Args:
        search: the search to improve; its costs to all candidates are held in float64 here.

    Returns:
        Whether the proof was completed; False if the effort is spent or there are more than 2**26 costs.
    """
    candidates = np.flatnonzero(search.rules.candidates)
    if len(candidates) * search.cost.n_targets > PROOF_ENTRIES:
        return False
    costs = torch.as_tensor(search.cost.rows(candidates, exact=True))
    movable = np.flatnonzero(search.movable)
    n_proved, turn = 0, 0
    while n_proved < len(movable):
        medoid = int(movable[turn % len(movable)])
        status = _settle(search, medoid, candidates, costs)
        if status is None:
            return False
        n_proved, turn = (n_proved + 1, turn + 1) if status else (0, turn)
    return True


def _settle(search: MedoidSearch, medoid: int, candidates: NDArray[np.int64], costs: torch.Tensor) -> bool | None:
    """True if no exchange of the medoid helps, False if one did and was made, None if the effort is spent."""
    places = np.flatnonzero(search.outside[candidates])
    bounds = _first_bounds(search, medoid, costs[torch.as_tensor(places)])
    while True:
        is_open = bounds < search.objective - IMPROVEMENT
        places, bounds = places[is_open], bounds[is_open]
        if not len(places):
            return True
        if search.effort.is_spent:
            return None
        best = int(bounds.argmin())
        before = search.plan
        plan = search.solve_with(np.array([medoid]), candidates[places[[best]]])
        if search.plan is not before:
            return False
        worth = lower_tail_mean(costs[torch.as_tensor(places)] - torch.as_tensor(plan.target_potentials), search.share)
        learned = plan.value + (worth.numpy() - plan.source_potentials[medoid]) / len(search.indices)
        bounds = np.maximum(bounds, learned)
        bounds[best] = plan.value


def _first_bounds(search: MedoidSearch, medoid: int, costs: torch.Tensor) -> NDArray[np.float64]:
    """Bounds from the present duals; none for an only medoid, whose replacements serve everything."""
    if len(search.indices) == 1:
        return costs.mean(dim=1).numpy()
    gone = removal(search)
    worth = lower_tail_mean(costs - torch.as_tensor(gone.prices_without(medoid)), search.share).numpy()
    return search.objective + (worth - gone.values[medoid]) / len(search.indices)
