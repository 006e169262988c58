"""Our search for balanced medoids: alternation, price ascent, exchanges, and a proof where it is affordable."""

from __future__ import annotations

import logging

import numpy as np

from coresift.transport.active_rows import ActiveRows
from coresift.transport.alternation import alternate
from coresift.transport.medoid_search import MedoidSearch
from coresift.transport.price_ascent import Prices, active_rows, ascend, price_at
from coresift.transport.swap_proof import prove_swap_optimum
from coresift.transport.swap_search import swap_in_batches, swap_one_by_one

logger = logging.getLogger(__name__)

ASCENT_ROUNDS = 5
ASCENT_STEPS = 80
FULL_ROUNDS = 2
CLOSED_GAP = 1e-9


def certified_search(search: MedoidSearch) -> tuple[MedoidSearch, Prices, bool]:
    """Improves a selection until it is proved to be a one-swap optimum, or the effort is spent.

    Args:
        search: the start.

    Returns:
        The best search, the prices of the best bound, and whether no exchange of one row lowers the objective.
    """
    alternate(search, search.cost, FULL_ROUNDS)
    best, prices, active = _follow_prices(search)
    if not _is_closed(best, prices):
        alternate(best, active)
        swap_in_batches(best, active)
        swap_one_by_one(best, active)
        alternate(best, best.cost)
    last = price_at(best.cost, best.rules, best.plan.target_potentials)
    prices = max(prices, last, key=lambda found: found.bound)
    return best, prices, _is_closed(best, prices) or prove_swap_optimum(best)


def _follow_prices(search: MedoidSearch) -> tuple[MedoidSearch, Prices, ActiveRows]:
    """Ascends the bound and starts again from the rows that its averages choose."""
    cost, rules, effort = search.cost, search.rules, search.effort
    best = search
    prices = highest = price_at(cost, rules, search.plan.target_potentials)
    for _ in range(ASCENT_ROUNDS):
        active = active_rows(cost, rules, prices, best.indices)
        if effort.is_spent or _is_closed(best, highest):
            break
        prices = ascend(cost, rules, active, prices, target=best.objective, n_steps=ASCENT_STEPS)
        highest = max(highest, prices, key=lambda found: found.bound)
        if effort.is_spent:
            break
        other = MedoidSearch(cost, rules, rules.cheapest(-prices.averages), effort, prices.values)
        alternate(other, active)
        best = min(best, other, key=lambda found: found.objective)
        logger.info("objective %.6f, lower bound %.6f", best.objective, highest.bound)
    return best, highest, active_rows(cost, rules, prices, best.indices)


def _is_closed(search: MedoidSearch, prices: Prices) -> bool:
    """Whether the bound proves the selection optimal."""
    return search.objective - prices.bound <= CLOSED_GAP * max(1.0, float(np.abs(search.objective)))
