"""The proof that no exchange of one row lowers the objective.

Prices p on the validation rows bound the objective of every selection S from below by
``mean(p) + (sum of the reduced values of S) / n``; see `lagrangian_bound`. With n reduced values of medoids and one of
every row that may come in, one vector of prices thus bounds all exchanges at once. The duals of every exchange that was
solved are such prices. They are sharp for exchanges of similar rows, so that one solve rules out many exchanges, also
of other medoids and after the selection has changed.
"""

from __future__ import annotations

from collections import deque

import numpy as np
import torch
from numpy.typing import NDArray

from coresift.transport.lagrangian_bound import FLOAT32_ROUNDING, lower_tail_mean
from coresift.transport.medoid_search import IMPROVEMENT, MedoidSearch

REMEMBERED_PRICES = 512
REMEMBERED_ENTRIES = 2**25
ROWS_PER_PASS = 256


def settle_exchanges(search: MedoidSearch, rows: NDArray[np.int64], prices: NDArray[np.float64]) -> bool:
    """Improves by single exchanges until it is proved that none with these rows is left.

    The exchange of the least lower bound is solved, its duals are learned, and exchanges whose bound reaches the
    objective are closed, until none is open.

    Args:
        search: The search to improve.
        rows: Candidates that may come in; their costs, and a bound for each with every medoid, are held in memory.
        prices: (V,) prices that are good for all selections, such as those of the best Lagrangian bound.

    Returns:
        Whether the proof was completed, for these rows; False if the effort is spent before.
    """
    if search.effort.is_spent:
        return False
    proof = _Proof(search, rows, prices)
    while proof.is_open:
        if search.effort.is_spent:
            return False
        proof.solve_most_promising()
    return True


class _Proof:
    """Lower bounds on what every exchange changes, times n: of a medoid (rows) for a candidate (columns)."""

    def __init__(self, search: MedoidSearch, candidates: NDArray[np.int64], prices: NDArray[np.float64]) -> None:
        self.search, self.candidates = search, candidates[search.rules.candidates[candidates]]
        exact = (search.cost.rows(part, exact=True) for part in self._chunks(self.candidates))
        self.costs = torch.cat(
            [torch.empty(0, search.cost.n_targets), *(torch.as_tensor(rows).float() for rows in exact)]
        )
        self.largest_cost = float(self.costs.abs().max()) if len(self.costs) else 0.0
        fitting = max(1, REMEMBERED_ENTRIES // (len(self.candidates) + search.cost.n_targets))
        count = min(REMEMBERED_PRICES, fitting)
        self.known: deque[tuple[NDArray[np.float64], NDArray[np.float64]]] = deque(maxlen=count)
        self.bounds = np.empty((len(search.indices), len(self.candidates)), dtype=np.float32)
        self._begin()
        self._learn(prices)

    @property
    def is_open(self) -> bool:
        """Whether an exchange is left that may lower the objective."""
        return bool((self.bounds < np.inf).any())

    def solve_most_promising(self) -> None:
        """Solves the exchange of least bound, makes it if it helps, and learns from its duals."""
        search = self.search
        medoid, place = np.unravel_index(self.bounds.argmin(), self.bounds.shape)
        before = search.plan
        plan = search.solve_with(np.array([medoid]), self.candidates[[place]])
        if search.plan is not before:
            self._begin()
            return
        self.bounds[medoid, place] = np.inf
        stays = np.arange(len(search.indices)) != medoid
        prices = plan.target_potentials
        if stays.any():
            # The highest prices that the potentials of the medoids that stay allow bound their exchanges best.
            prices = (search.rows[stays] - plan.source_potentials[stays, None]).min(axis=0)
        self._learn(prices)

    def _begin(self) -> None:
        """Open every exchange of the present selection, and close what known prices rule out."""
        self.bounds[:] = -np.inf
        self.bounds[~self.search.movable] = np.inf
        self.bounds[:, ~self.search.outside[self.candidates]] = np.inf
        for prices, values in self.known:
            self._close(prices, values, np.arange(len(self.candidates)))
        self._learn(self.search.plan.target_potentials)

    def _learn(self, prices: NDArray[np.float64]) -> None:
        places = np.flatnonzero((self.bounds < np.inf).any(axis=0))
        if not len(places):
            return
        slack = FLOAT32_ROUNDING * (1.0 + float(np.abs(prices).max()) + self.largest_cost)
        values = np.full(len(self.candidates), -np.inf)
        # The slack is of the size of float32 rounding: with the other sign a proof would be false only for gains as
        # small, so that no test tells the signs apart. This one is what the proof needs.
        values[places] = self._reduced(places, prices) - slack
        self._close(prices, values, places)
        unsure = places[((self.bounds < np.inf) & (self.bounds > -3.0 * slack))[:, places].any(axis=0)]
        for part in self._chunks(unsure):
            costs = torch.as_tensor(self.search.cost.rows(self.candidates[part], exact=True))
            values[part] = lower_tail_mean(costs - torch.as_tensor(prices), self.search.share).numpy()
        self._close(prices, values, unsure)
        self.known.append((prices, values))

    def _reduced(self, places: NDArray[np.int64], prices: NDArray[np.float64]) -> NDArray[np.float64]:
        target = torch.as_tensor(prices, dtype=torch.float32)
        parts = [
            lower_tail_mean(self.costs[torch.as_tensor(part)] - target, self.search.share)
            for part in self._chunks(places)
        ]
        return torch.cat(parts).double().numpy()

    def _close(self, prices: NDArray[np.float64], values: NDArray[np.float64], places: NDArray[np.int64]) -> None:
        """Raise the bounds of some columns to what the prices prove, and close those that reach the objective."""
        search, n_medoids = self.search, len(self.bounds)
        own = lower_tail_mean(torch.as_tensor(search.rows - prices), search.share).numpy()
        others = own.sum() - own + n_medoids * (float(prices.mean()) - search.objective)
        for medoids in self._chunks(np.arange(n_medoids)):
            changes = others[medoids, None] + values[places]
            raised = np.where(changes >= -IMPROVEMENT * n_medoids, np.inf, changes).astype(np.float32)
            block = np.ix_(medoids, places)
            self.bounds[block] = np.maximum(self.bounds[block], raised)

    @staticmethod
    def _chunks(positions: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        return [positions[start : start + ROWS_PER_PASS] for start in range(0, len(positions), ROWS_PER_PASS)]
