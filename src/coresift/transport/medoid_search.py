"""The state of a search for balanced medoids: a selection, its exact transport plan, and what was spent."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from coresift.transport.block_cost import BlockCost
from coresift.transport.exact_transport import TransportPlan, solve_transport
from coresift.transport.lagrangian_bound import SelectionRules

IMPROVEMENT = 1e-10
Progress: TypeAlias = Callable[[dict[str, float]], None]


@dataclass
class Effort:
    """What a search may spend, what it has spent, and what came of it.

    Attributes:
        max_solves: Transport problems that may be solved.
        time_limit: Seconds after which the search stops; None for no limit.
        on_progress: Called after every improvement with seconds, objective, lower_bound, gap and n_transport_solves.
        n_solves: Transport problems solved so far.
        lower_bound: The best bound so far, NaN before there is one.
        trace: (seconds, objective) of the start and of every improvement of the best selection.
    """

    max_solves: int
    time_limit: float | None = None
    on_progress: Progress | None = None
    n_solves: int = 0
    lower_bound: float = np.nan
    trace: list[tuple[float, float]] = field(default_factory=list)
    _started: float = field(default_factory=time.perf_counter)

    @property
    def is_spent(self) -> bool:
        """Whether the solves or the time are used up."""
        late = self.time_limit is not None and time.perf_counter() - self._started >= self.time_limit
        return late or self.n_solves >= self.max_solves

    def record(self, objective: float) -> None:
        """Note an objective, if it is the best so far."""
        if self.trace and objective >= self.trace[-1][1]:
            return
        seconds = time.perf_counter() - self._started
        self.trace.append((seconds, objective))
        if self.on_progress is not None:
            report = {"seconds": seconds, "objective": objective, "lower_bound": self.lower_bound}
            report |= {"gap": objective - self.lower_bound, "n_transport_solves": float(self.n_solves)}
            self.on_progress(report)


class MedoidSearch:
    """A selection that only ever improves.

    Args:
        cost: The cost of T candidates.
        rules: Which selections are allowed.
        start: (n,) distinct rows to start from.
        effort: What may be spent; one transport problem is solved at once.
        prices: (V,) prices near the optimal ones, if some are known.
        known: Another search of the same cost, whose exact rows are taken where both have selected them.
    """

    def __init__(
        self,
        cost: BlockCost,
        rules: SelectionRules,
        start: NDArray[np.int64],
        effort: Effort,
        prices: NDArray[np.float64] | None = None,
        known: MedoidSearch | None = None,
    ) -> None:
        self.cost, self.rules, self.effort = cost, rules, effort
        self.indices = start.copy()
        self.rows = self._exact_rows(known)
        warm_start = None if prices is None else (np.zeros(len(start)), prices)
        self.plan: TransportPlan = solve_transport(self.rows, warm_start=warm_start)
        effort.n_solves += 1
        effort.record(self.objective)

    def _exact_rows(self, known: MedoidSearch | None) -> NDArray[np.float64]:
        rows = np.empty((len(self.indices), self.cost.n_targets))
        missing = np.arange(len(rows))
        if known is not None:
            _, places, sources = np.intersect1d(self.indices, known.indices, assume_unique=True, return_indices=True)
            rows[places] = known.rows[sources]
            missing = np.setdiff1d(missing, places, assume_unique=True)
        rows[missing] = self.cost.rows(self.indices[missing], exact=True)
        return rows

    @property
    def objective(self) -> float:
        """The transport cost of the selection."""
        return self.plan.value

    @property
    def share(self) -> float:
        """Validation rows that a medoid serves, V/n."""
        return self.rows.shape[1] / self.rows.shape[0]

    @property
    def movable(self) -> NDArray[np.bool_]:
        """(n,) which medoids may be replaced: all but the fixed ones."""
        return ~np.isin(self.indices, self.rules.fixed)

    @property
    def outside(self) -> NDArray[np.bool_]:
        """(T,) which rows may come in: candidates that are not selected."""
        mask = self.rules.candidates.copy()
        mask[self.indices] = False
        return mask

    def solve_with(
        self, positions: NDArray[np.int64], replacements: NDArray[np.int64], *, is_warm: bool = True
    ) -> TransportPlan:
        """Return the exact plan after a replacement, which is adopted if it lowers the objective.

        Args:
            positions: (k,) which medoids go.
            replacements: (k,) rows that come in their places; the selection must stay distinct.
            is_warm: Start from the present plan, or from scratch.

        Returns:
            The plan, whose value is above `objective` if the replacement was not adopted.
        """
        removed = self.rows[positions].copy()
        self.rows[positions] = self.cost.rows(replacements, exact=True)
        plan = solve_transport(self.rows, warm_start=self.plan if is_warm else None)
        self.effort.n_solves += 1
        if plan.value < self.plan.value - IMPROVEMENT:
            self.plan, self.indices[positions] = plan, replacements
            self.effort.record(self.objective)
        else:
            self.rows[positions] = removed
        return plan

    def attempt(self, positions: NDArray[np.int64], replacements: NDArray[np.int64], *, is_warm: bool = True) -> bool:
        """Replace medoids if that lowers the objective.

        Args:
            positions: (k,) which medoids go.
            replacements: (k,) rows that come in their places.
            is_warm: Start from the present plan, or from scratch.

        Returns:
            Whether the selection changed.
        """
        before = self.plan
        self.solve_with(positions, replacements, is_warm=is_warm)
        return self.plan is not before
