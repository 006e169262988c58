"""The state of a search for balanced medoids: the best selection so far, its exact plan, and what was spent."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from coresift.transport.block_cost import BlockCost
from coresift.transport.exact_transport import TransportPlan, solve_transport
from coresift.transport.lagrangian_bound import SelectionRules

IMPROVEMENT = 1e-10
Progress: TypeAlias = Callable[[dict[str, float]], None]


class MedoidSearch:
    """A selection that only ever improves.

    Args:
        cost: the cost of T candidates.
        rules: which selections are allowed.
        start: (n,) distinct rows to start from.
        max_solves: how many transport problems may be solved in all.
        time_limit: seconds after which `is_over` turns true; None for no limit.
        on_progress: called after every improvement with seconds, objective and n_transport_solves.
    """

    def __init__(
        self,
        cost: BlockCost,
        rules: SelectionRules,
        start: NDArray[np.int64],
        *,
        max_solves: int,
        time_limit: float | None,
        on_progress: Progress | None,
        started: float,
    ) -> None:
        self.cost, self.rules = cost, rules
        self._max_solves, self._time_limit = max_solves, time_limit
        self._on_progress, self._started = on_progress, started
        self.indices = start.copy()
        self.rows = cost.rows(start, exact=True)
        self.plan: TransportPlan = solve_transport(self.rows)
        self.n_solves = 1
        self.trace: list[tuple[float, float]] = []
        self._record()

    @property
    def objective(self) -> float:
        """The transport cost of the selection."""
        return self.plan.value

    @property
    def is_over(self) -> bool:
        """Whether the solves or the time are spent."""
        late = self._time_limit is not None and time.perf_counter() - self._started >= self._time_limit
        return late or self.n_solves >= self._max_solves

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

    def attempt(self, positions: NDArray[np.int64], replacements: NDArray[np.int64]) -> bool:
        """Replaces medoids if that lowers the objective.

        Args:
            positions: (k,) which medoids go.
            replacements: (k,) rows that come in their places; the selection must stay distinct.

        Returns:
            Whether the selection changed.
        """
        removed = self.rows[positions].copy()
        self.rows[positions] = self.cost.rows(replacements, exact=True)
        plan = solve_transport(self.rows, warm_start=self.plan)
        self.n_solves += 1
        if plan.value >= self.plan.value - IMPROVEMENT:
            self.rows[positions] = removed
            return False
        self.plan, self.indices[positions] = plan, replacements
        self._record()
        return True

    def _record(self) -> None:
        seconds = time.perf_counter() - self._started
        self.trace.append((seconds, self.objective))
        if self._on_progress is not None:
            report = {"seconds": seconds, "objective": self.objective, "n_transport_solves": float(self.n_solves)}
            self._on_progress(report)
