"""Ascent of the Lagrangian bound, and the selection that its averages point to.

The bound L(y) of `lagrangian_bound` is concave in the prices y. A subgradient is what is left of a validation row
after the n cheapest candidates have claimed the V/n rows they like best: prices of rows that nobody claims rise,
prices of rows that many claim fall. How often a candidate is among the n cheapest, averaged with a short memory,
approaches the optimum of the linear relaxation (the volume algorithm of Barahona and Anbil, 2000), and the n rows of
largest average are an excellent selection to start from.

Only rows near the n cheapest, and of these only the columns they may claim, take part in a step: a few per cent of
all costs. A pass over all rows between rounds brings in the rows that the new prices make attractive.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from coresift.transport.active_rows import ActiveRows
from coresift.transport.block_cost import BlockCost
from coresift.transport.lagrangian_bound import SelectionRules, lower_tail_mean, reduced_values

ROWS_PER_MEDOID = 3
COLUMNS_PER_CLAIM = 32
LEAST_COLUMNS = 64
ROUNDS = (10, 20, 40, 80, 80, 80, 80, 80)
FIRST_STEP = 0.25
NULL_SHRINKAGE = 0.5
STEP_SHRINKAGE = 0.8
PATIENCE = 5
MEMORY = 0.05
RELEVANT_AVERAGE = 0.02


@dataclass
class Prices:
    """Prices on validation rows and what they prove.

    Attributes:
        values: (V,) the prices y.
        reduced: (T,) reduced values of all rows at these prices, or less where that decides nothing.
        bound: L(y).
        averages: (T,) how often each row was among the cheapest of late.
        step: Relative length of the next step.
    """

    values: NDArray[np.float64]
    reduced: NDArray[np.float64]
    bound: float
    averages: NDArray[np.float64]
    step: float = FIRST_STEP


def price_at(cost: BlockCost, rules: SelectionRules, values: NDArray[np.float64]) -> Prices:
    """Return the bound at some prices, in one pass and in float32 precision.

    Args:
        cost: The cost of T candidates.
        rules: Which selections the bound is for.
        values: (V,) prices.

    Returns:
        The prices with their bound, without averages.
    """
    reduced = reduced_values(cost.blocks(), len(cost), values, cost.n_targets / rules.budget)
    return _bounded(rules, values, reduced)


def active_rows(
    cost: BlockCost,
    rules: SelectionRules,
    prices: Prices,
    keep: NDArray[np.int64],
    known: ActiveRows | None = None,
) -> ActiveRows:
    """Return the rows of smallest reduced value, those chosen of late, and some to keep.

    Args:
        cost: The cost of T candidates.
        rules: Which selections are allowed.
        prices: Prices with the reduced values of all rows.
        keep: Rows that are active in any case.
        known: Rows whose costs are in memory already.

    Returns:
        The active rows.
    """
    averaged = np.flatnonzero(prices.averages > RELEVANT_AVERAGE)
    cheap = _cheap(rules, prices.reduced, ROWS_PER_MEDOID)
    return ActiveRows(cost, np.unique(np.concatenate([cheap, averaged, rules.fixed, keep])), known)


def ascend(
    cost: BlockCost, rules: SelectionRules, prices: Prices, keep: NDArray[np.int64], target: float
) -> Iterator[tuple[Prices, ActiveRows]]:
    """Raise the bound in rounds of growing length.

    A round that ends with a worse bound over all rows, because its prices made inactive rows attractive, is taken
    back: the next one starts again with these rows active and a shorter step.

    Args:
        cost: The cost of T candidates.
        rules: Which selections the bound is for.
        prices: Where to start.
        keep: Rows that are active in any case.
        target: The objective of a selection, which the bound cannot exceed (Polyak's step length).

    Yields:
        After every round the best prices so far, with reduced values of all rows and the averages of the round, and
        the rows that were active in it.
    """
    tempting, active = keep, None
    for n_steps in ROUNDS:
        active = active_rows(cost, rules, prices, np.concatenate([keep, tempting]), active)
        found = _ascend_once(cost, rules, active, prices, target=target, n_steps=n_steps)
        tempting = _cheap(rules, found.reduced, ROWS_PER_MEDOID - 1)
        if found.bound > prices.bound:
            prices = found
        else:
            prices = replace(prices, averages=found.averages, step=NULL_SHRINKAGE * prices.step)
        yield prices, active


def _cheap(rules: SelectionRules, reduced: NDArray[np.float64], per_medoid: int) -> NDArray[np.int64]:
    rows = np.flatnonzero(rules.candidates)
    return rows[np.argsort(reduced[rows], kind="stable")[: per_medoid * rules.budget]]


def _ascend_once(
    cost: BlockCost, rules: SelectionRules, active: ActiveRows, prices: Prices, *, target: float, n_steps: int
) -> Prices:
    round_ = _Round(cost, rules, active, prices)
    for _ in range(n_steps):
        round_.step(target)
    averages = np.zeros(len(cost))
    averages[active.positions] = round_.averages.double().cpu().numpy()
    found = _price_again(cost, rules, active, prices, round_.best_prices.double().cpu().numpy())
    return replace(found, averages=averages, step=round_.length)


def _price_again(
    cost: BlockCost, rules: SelectionRules, active: ActiveRows, known: Prices, values: NDArray[np.float64]
) -> Prices:
    """Return the bound at new prices, measuring only rows that may be among the cheapest.

    From known prices a reduced value falls at most by the mean of the V/n largest rises. Rows that stay too dear even
    then keep that lower bound in place of their value, which is all that the bound needs.
    """
    share = cost.n_targets / rules.budget
    largest_fall = -float(lower_tail_mean(torch.as_tensor(known.values - values)[None], share))
    reduced = known.reduced - largest_fall
    is_open = rules.candidates.copy()
    is_open[active.positions] = False
    measured = np.full(len(reduced), np.inf)
    measured[active.positions] = reduced_values(active.blocks(), len(active.positions), values, share)
    reduced[active.positions] = measured[active.positions]
    rows = np.flatnonzero(is_open & (reduced <= measured[rules.cheapest(measured)].max()))
    reduced[rows] = reduced_values(cost.blocks(rows), len(rows), values, share)
    return _bounded(rules, values, reduced)


def _bounded(rules: SelectionRules, values: NDArray[np.float64], reduced: NDArray[np.float64]) -> Prices:
    bound = float(values.mean() + reduced[rules.cheapest(reduced)].mean())
    return Prices(values, reduced, bound, np.zeros(len(reduced)))


class _Round:
    """The state of one round: prices, step length, averages."""

    def __init__(self, cost: BlockCost, rules: SelectionRules, active: ActiveRows, prices: Prices) -> None:
        device = cost.device
        self.share, self.budget = cost.n_targets / rules.budget, rules.budget
        self.prices = self.best_prices = torch.as_tensor(prices.values, dtype=torch.float32, device=device)
        self.averages = torch.as_tensor(prices.averages[active.positions], dtype=torch.float32, device=device)
        self.length, self.best, self.failures = prices.step, -np.inf, 0
        self.is_fixed = torch.as_tensor(np.isin(active.positions, rules.fixed), device=device)
        self.n_claims = max(1, int(np.ceil(self.share - 1e-9)))
        self.claim_weights = torch.ones(self.n_claims, device=device)
        self.claim_weights[-1] = min(self.share - (self.n_claims - 1), self.share)
        self._collect_claims(active)

    def _collect_claims(self, active: ActiveRows) -> None:
        length = min(len(self.prices), max(LEAST_COLUMNS, COLUMNS_PER_CLAIM * self.n_claims))
        costs, columns = [], []
        for _, block in active.blocks():
            near = (block - self.prices).topk(length, dim=1, largest=False, sorted=False).indices
            costs.append(block.gather(1, near))
            columns.append(near)
        self.costs, self.columns = torch.cat(costs), torch.cat(columns)

    def step(self, target: float) -> None:
        """Follows the subgradient; after some steps without a better bound, returns to the best and goes shorter."""
        claims = (self.costs - self.prices[self.columns]).topk(self.n_claims, dim=1, largest=False)
        reduced = (claims.values * self.claim_weights).sum(dim=1) / self.share
        chosen = reduced.masked_fill(self.is_fixed, -torch.inf).topk(self.budget, largest=False).indices
        bound = float(self.prices.mean() + reduced[chosen].mean())
        self._judge(bound)
        self.averages.mul_(1 - MEMORY)
        self.averages[chosen] += MEMORY
        claimed = self.columns[chosen].gather(1, claims.indices[chosen])
        counts = torch.zeros_like(self.prices)
        counts.index_put_((claimed.reshape(-1),), self.claim_weights.repeat(self.budget), accumulate=True)
        direction = 1.0 - counts
        norm = float(direction @ direction)
        if norm > 0:
            length = self.length * max(target - bound, 0.0) * len(self.prices) / norm
            self.prices = self.prices + length * direction

    def _judge(self, bound: float) -> None:
        if bound > self.best + 1e-7:
            self.best, self.best_prices, self.failures = bound, self.prices, 0
            return
        self.failures += 1
        if self.failures == PATIENCE:
            self.length, self.failures, self.prices = STEP_SHRINKAGE * self.length, 0, self.best_prices
