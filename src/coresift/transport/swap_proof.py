"""The proof that no exchange of one row lowers the objective, in float64."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from coresift.transport.lagrangian_bound import lower_tail_mean
from coresift.transport.medoid_search import IMPROVEMENT, MedoidSearch
from coresift.transport.removal import removal


def settle_exchanges(search: MedoidSearch, rows: NDArray[np.int64]) -> bool:
    """Improves by single exchanges until it is proved that none with these rows is left.

    An exchange needs no solve if a lower bound on its objective is not below the present one. The duals of every
    solved exchange bound all other exchanges of the same medoid, so that few of them are solved. Medoids take turns,
    those that are easiest to do without first.

    Args:
        search: the search to improve.
        rows: candidates that may come in; their costs are held in float64.

    Returns:
        Whether the proof was completed, for these rows; False if the effort is spent before.
    """
    if search.effort.is_spent:
        return False
    proof = _Proof(search, rows)
    before = None
    while before is not search.plan:
        before = search.plan
        for medoid in proof.by_removal_value():
            is_settled: bool | None = False
            while is_settled is False:
                is_settled = proof.settle(int(medoid))
            if is_settled is None:
                return False
    return True


class _Proof:
    """Lower bounds on the objective after an exchange."""

    def __init__(self, search: MedoidSearch, candidates: NDArray[np.int64]) -> None:
        self.search, self.candidates = search, candidates[search.rules.candidates[candidates]]
        self.costs = torch.as_tensor(search.cost.rows(self.candidates, exact=True))
        self._price()

    def by_removal_value(self) -> NDArray[np.int64]:
        """The movable medoids, the one that is easiest to do without first."""
        order = np.argsort(-self.gone.values, kind="stable")
        return order[self.search.movable[order]]

    def settle(self, medoid: int) -> bool | None:
        """True if no exchange of a medoid helps, False if one did and was made, None if the effort is spent."""
        search = self.search
        places, bounds = self._open_exchanges(medoid)
        while len(places):
            if search.effort.is_spent:
                return None
            best, before = int(bounds.argmin()), search.plan
            plan = search.solve_with(np.array([medoid]), self.candidates[places[[best]]])
            if search.plan is not before:
                self._price()
                return False
            learned = self._worth(places, plan.target_potentials) - plan.source_potentials[medoid]
            bounds = np.maximum(bounds, plan.value + learned / len(search.indices))
            bounds[best] = plan.value
            is_open = bounds < search.objective - IMPROVEMENT
            places, bounds = places[is_open], bounds[is_open]
        return True

    def _price(self) -> None:
        self.gone = removal(self.search)
        self.outside = np.flatnonzero(self.search.outside[self.candidates])
        self.worth = np.full(len(self.candidates), np.inf)
        self.worth[self.outside] = self._worth(self.outside, self.gone.prices)

    def _worth(self, places: NDArray[np.int64], prices: NDArray[np.float64]) -> NDArray[np.float64]:
        reduced = self.costs[torch.as_tensor(places)] - torch.as_tensor(prices)
        return lower_tail_mean(reduced, self.search.share).numpy()

    def _open_exchanges(self, medoid: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The exchanges that the present duals leave open: first by a cheap bound, then by the prices of removal."""
        objective, n_medoids = self.search.objective, len(self.search.indices)
        if n_medoids == 1:
            bounds = self.costs[torch.as_tensor(self.outside)].mean(dim=1).numpy()
            return self.outside[bounds < objective - IMPROVEMENT], bounds[bounds < objective - IMPROVEMENT]
        least = -IMPROVEMENT * n_medoids
        places = np.flatnonzero(self.worth - self.search.plan.source_potentials[medoid] < least)
        refined = self._worth(places, self.gone.prices_without(medoid)) - self.gone.values[medoid]
        is_open = refined < least
        return places[is_open], objective + refined[is_open] / n_medoids
