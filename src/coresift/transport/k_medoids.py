"""Balanced k-medoids: the rows whose uniform mass is nearest to the validation rows in transport cost."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from coresift.transport.block_cost import BlockCost
from coresift.transport.certified_search import certified_search
from coresift.transport.greedy_start import greedy_medoids
from coresift.transport.input_checks import as_positions, fixed_and_excluded
from coresift.transport.itra_exchange import itra, itra_released
from coresift.transport.lagrangian_bound import SelectionRules, lower_bound
from coresift.transport.medoid_search import Effort, MedoidSearch, Progress
from coresift.transport.price_ascent import Prices

logger = logging.getLogger(__name__)

METHODS: dict[str, Callable[[MedoidSearch, int], tuple[MedoidSearch, Prices, bool]]] = {
    "certified": certified_search,
    "itra": itra,
    "itra_released": itra_released,
}


@dataclass(frozen=True)
class KMedoidsResult:
    """A selection with its proof.

    Attributes:
        indices: (budget,) distinct row positions, ascending.
        objective: Exact transport cost between the uniform mass on the selection and on the validation rows.
        lower_bound: No selection of this size has a smaller objective.
        reduced_values: (T,) what each row would pay per unit of mass at the prices of the bound, lower is better; of
            rows that are far from being chosen only a lower bound is known.
        certified: Whether it is proved that no exchange of a single row lowers the objective.
        n_transport_solves: Transport problems solved.
        trace: (seconds since the start, objective) at the start and after every improvement.
    """

    indices: NDArray[np.int64]
    objective: float
    lower_bound: float
    reduced_values: NDArray[np.float64]
    certified: bool
    n_transport_solves: int
    trace: list[tuple[float, float]]

    @property
    def gap(self) -> float:
        """Objective minus lower bound: how much a better selection could gain at most."""
        return self.objective - self.lower_bound


def balanced_k_medoids(
    cost: BlockCost,
    budget: int,
    method: str = "certified",
    random_state: int = 0,
    max_solves: int = 300,
    time_limit: float | None = None,
    initial: ArrayLike | None = None,
    fixed: ArrayLike | None = None,
    exclude: ArrayLike | None = None,
    on_progress: Progress | None = None,
) -> KMedoidsResult:
    """Select `budget` rows whose uniform mass has the least transport cost to the uniform validation mass.

    Args:
        cost: The cost of T candidates.
        budget: How many rows to select.
        method: "certified" (greedy start, alternation, price ascent, exchanges with proven pruning), "itra"
            (Algorithm 1 of GORACS as intended) or "itra_released" (as its released code behaves).
        random_state: Seed of the random restarts of "certified".
        max_solves: Transport problems to solve at most, a deterministic stop.
        time_limit: Seconds after which the best selection so far is returned; None for no limit.
        initial: (budget,) rows to start from; None starts greedily.
        fixed: Rows that stay in the selection.
        exclude: Rows that never enter it.
        on_progress: Called after every improvement with seconds, objective, lower_bound, gap and n_transport_solves.

    Returns:
        The selection, its exact objective, a lower bound on every selection's, and how it was reached.

    Raises:
        ValueError: If the method is unknown, the budget does not fit the candidates, or row sets are inconsistent.
        RuntimeError: If the search repeats a row or drops a fixed one, which it never should.
    """
    if method not in METHODS:
        raise ValueError(f"unknown method '{method}': choose one of {', '.join(METHODS)}.")
    if max_solves < 1:
        raise ValueError(f"max_solves is {max_solves}: at least one transport problem has to be solved.")
    effort = Effort(max_solves, time_limit, on_progress)
    rules = _rules(len(cost), budget, fixed, exclude)
    search = MedoidSearch(cost, rules, _start(cost, rules, initial), effort)
    best, prices, certified = METHODS[method](search, random_state)
    bound = min(lower_bound(cost, rules, prices.values, prices.reduced), best.objective)
    logger.info(
        "Chose %d of %d rows: transport cost %.5f, no choice is below %.5f; %d transport problems solved",
        budget, len(cost), best.objective, bound, effort.n_solves,
    )  # fmt: skip
    order = np.unique(best.indices)
    if len(order) < budget or np.setdiff1d(rules.fixed, order).size:
        raise RuntimeError(f"the search with method '{method}' lost rows: please report the costs that led to this.")
    return KMedoidsResult(order, best.objective, bound, prices.reduced, certified, effort.n_solves, effort.trace)


def _rules(n_rows: int, budget: int, fixed: ArrayLike | None, exclude: ArrayLike | None) -> SelectionRules:
    fixed_rows, excluded = fixed_and_excluded(fixed, exclude, n_rows=n_rows, budget=budget)
    candidates = np.ones(n_rows, dtype=bool)
    candidates[excluded] = candidates[fixed_rows] = False
    return SelectionRules(budget, fixed_rows, candidates)


def _start(cost: BlockCost, rules: SelectionRules, initial: ArrayLike | None) -> NDArray[np.int64]:
    if initial is None:
        return greedy_medoids(cost, rules.budget, rules.fixed, rules.candidates)
    start = as_positions(initial, len(cost), "initial")
    if len(start) != rules.budget:
        raise ValueError(f"initial names {len(start)} rows: it needs budget = {rules.budget}.")
    if np.setdiff1d(rules.fixed, start).size or (~rules.candidates[np.setdiff1d(start, rules.fixed)]).any():
        raise ValueError("initial must hold every fixed row and no excluded row.")
    return start
