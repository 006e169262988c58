"""Our search for balanced medoids: alternation, price ascent, exchanges, and a proof where it is affordable."""

from __future__ import annotations

import logging

import numpy as np
from numpy.typing import NDArray

from coresift.transport.active_rows import ActiveRows
from coresift.transport.alternation import alternate
from coresift.transport.lagrangian_bound import lower_bound
from coresift.transport.medoid_search import MedoidSearch
from coresift.transport.price_ascent import Prices, active_rows, ascend, price_at
from coresift.transport.swap_batches import swap_in_batches
from coresift.transport.swap_proof import settle_exchanges

logger = logging.getLogger(__name__)

FULL_ROUNDS = 1
FIRST_RESTART = 3
STANDSTILL = 5e-3
CLOSED_GAP = 1e-9
RANDOM_RESTARTS = 4
NOISE = 0.2
LEAST_AVERAGE = 1e-3
PROOF_ENTRIES = 2**26


def certified_search(search: MedoidSearch, random_state: int) -> tuple[MedoidSearch, Prices, bool]:
    """Improves a selection until it is proved to be a one-swap optimum, or the effort is spent.

    Args:
        search: The start.
        random_state: Seed of the random restarts.

    Returns:
        The best search, the prices of the best bound, and whether no exchange of one row lowers the objective. Beyond
        2**26 costs, or pairs of a medoid and a candidate, exchanges are tried with active rows only, and nothing is
        certified.
    """
    cost, rules = search.cost, search.rules
    alternate(search, cost, FULL_ROUNDS)
    search, prices = _follow_prices(search)
    active = active_rows(cost, rules, prices, search.indices)
    alternate(search, active)
    if not _is_closed(search, prices):
        search = _restart_nearby(search, prices, active, np.random.default_rng(random_state))
        swap_in_batches(search, active)
        alternate(search, cost)
    if _is_closed(search, prices):
        return search, prices, True
    rows = _rows_to_exchange(search, prices, active)
    return search, prices, settle_exchanges(search, rows, prices.values) and len(rows) == len(cost)


def _rows_to_exchange(search: MedoidSearch, prices: Prices, active: ActiveRows) -> NDArray[np.int64]:
    """All rows where a proof is affordable, otherwise the active rows of least reduced value."""
    cost, budget = search.cost, len(search.indices)
    if len(cost) * max(cost.n_targets, budget) <= PROOF_ENTRIES:
        return np.arange(len(cost))
    order = np.argsort(prices.reduced[active.positions], kind="stable")
    return active.positions[order[: max(1, PROOF_ENTRIES // budget)]]


def _follow_prices(search: MedoidSearch) -> tuple[MedoidSearch, Prices]:
    """Raise the bound, and start again from the rows that its averages choose, until the gap stands still."""
    cost, rules, effort = search.cost, search.rules, search.effort
    prices = price_at(cost, rules, search.rows.min(axis=0))
    gap = search.objective - prices.bound
    rounds = ascend(cost, rules, prices, search.indices, search.objective)
    for n_round, (prices, active) in enumerate(rounds, start=1):
        effort.lower_bound = prices.bound
        if effort.is_spent or _is_closed(search, prices):
            break
        if n_round >= FIRST_RESTART:
            other = MedoidSearch(cost, rules, rules.cheapest(-prices.averages), effort, prices.values, search)
            alternate(other, active)
            search = min(search, other, key=lambda found: found.objective)
        last_gap, gap = gap, search.objective - prices.bound
        logger.info("Round %d: transport cost %.5f, at most %.5f too high", n_round, search.objective, gap)
        if n_round > FIRST_RESTART and last_gap - gap < STANDSTILL * gap:
            break
    return search, prices


def _restart_nearby(
    search: MedoidSearch, prices: Prices, active: ActiveRows, generator: np.random.Generator
) -> MedoidSearch:
    """Start again from the averages with noise, which decides differently where they leave the choice open."""
    for _ in range(RANDOM_RESTARTS):
        if search.effort.is_spent:
            break
        noise = NOISE * generator.random(len(prices.averages)) * (prices.averages > LEAST_AVERAGE)
        start = search.rules.cheapest(-prices.averages - noise)
        other = MedoidSearch(search.cost, search.rules, start, search.effort, prices.values, search)
        alternate(other, active)
        search = min(search, other, key=lambda found: found.objective)
    return search


def _is_closed(search: MedoidSearch, prices: Prices) -> bool:
    """Whether the bound proves the selection optimal."""
    allowed = CLOSED_GAP * max(1.0, abs(search.objective))
    if search.objective - prices.bound > allowed + 1e-5:
        return False
    return search.objective - lower_bound(search.cost, search.rules, prices.values, prices.reduced) <= allowed
