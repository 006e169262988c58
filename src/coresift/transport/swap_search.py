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


class SwapSearch:
    """Improves a search by exchanging its medoids for active rows.

    Args:
        search: the search to improve.
        active: rows that may come in.
    """

    def __init__(self, search: MedoidSearch, active: ActiveRows) -> None:
        self.search, self.active = search, active
        self._n_claims = max(1, int(np.ceil(search.share - 1e-9)))
        self._price()

    def in_batches(self) -> None:
        """Exchanges many medoids per solve, as long as that helps; the batch is halved when it does not.

        The rows of least reduced value come in, unless they would serve what another one already claims, and the
        medoids that are easiest to do without go. After each success medoids settle by alternation.
        """
        size = max(1, len(self.search.indices) // 8)
        while size >= 1 and not self.search.effort.is_spent:
            leaving, entering = self._batch(size)
            if not len(leaving):
                return
            size = len(leaving)
            if self.search.attempt(leaving, entering):
                alternate(self.search, self.active)
                self._price()
                size *= 2
            else:
                size //= 2

    def one_by_one(self) -> None:
        """Tries every medoid's most promising exchanges until a whole round brings nothing."""
        improved = True
        while improved:
            improved = False
            for medoid in self._by_removal_value():
                while not self.search.effort.is_spent and self._improve(int(medoid)):
                    improved = True
                    self._price()

    def _price(self) -> None:
        """Values all removals and all active rows at the present duals."""
        self._gone: Removal = removal(self.search)
        self._reduced = self.active.costs - self._on_device(self._gone.prices)
        self._values = lower_tail_mean(self._reduced, self.search.share)
        closed = ~self.search.outside[self.active.positions]
        self._values.masked_fill_(torch.as_tensor(closed, device=self.active.device), torch.inf)

    def _by_removal_value(self) -> NDArray[np.int64]:
        order = np.argsort(-self._gone.values, kind="stable")
        return order[self.search.movable[order]]

    def _batch(self, size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Up to `size` medoids to take out and as many rows that claim different validation rows."""
        leaving = self._by_removal_value()
        places = self._values.argsort(stable=True)[: 4 * size]
        values = self._values[places].double().cpu().numpy()
        claims = self._reduced[places].topk(self._n_claims, dim=1, largest=False).indices.cpu().numpy()
        rows = self.active.positions[places.cpu().numpy()]
        taken = np.zeros(self._reduced.shape[1], dtype=bool)
        entering: list[int] = []
        for row, value, claim in zip(rows, values, claims, strict=True):
            if len(entering) == min(size, len(leaving)) or value >= self._gone.values[leaving[len(entering)]]:
                break
            if taken[claim].mean() < LARGEST_OVERLAP:
                entering.append(int(row))
                taken[claim] = True
        return leaving[: len(entering)], np.asarray(entering, dtype=np.int64)

    def _improve(self, medoid: int) -> bool:
        """Tries the exchanges of one medoid in the order of their lower bounds, skipping those that cannot help."""
        places = self._promising(medoid)
        prices = self._on_device(self._gone.prices_without(medoid))
        worth = lower_tail_mean(self.active.costs[places] - prices, self.search.share).double().cpu().numpy()
        bounds = self.search.objective + (worth - self._gone.values[medoid]) / len(self.search.indices)
        rows = self.active.positions[places.cpu().numpy()]
        for best in np.argsort(bounds, kind="stable")[:SOLVES_PER_MEDOID]:
            hopeless = not bounds[best] < self.search.objective - IMPROVEMENT
            if hopeless or self.search.effort.is_spent:
                return False
            if self.search.attempt(np.array([medoid]), rows[[best]]):
                return True
        return False

    def _promising(self, medoid: int) -> torch.Tensor:
        """Places among the active rows: the cheapest outside rows, and those near what the medoid serves."""
        served = torch.as_tensor(self.search.plan.plan[[medoid]].indices, dtype=torch.int64, device=self.active.device)
        nearness = self.active.costs[:, served].mean(dim=1)
        nearness.masked_fill_(self._values.isinf(), torch.inf)
        count = min(CANDIDATES_PER_MEDOID, int(self._values.isfinite().sum()))
        best = [measure.topk(count, largest=False).indices for measure in (self._values, nearness)]
        return torch.cat(best).unique()

    def _on_device(self, prices: NDArray[np.float64]) -> torch.Tensor:
        return torch.as_tensor(prices, dtype=torch.float32, device=self.active.device)
