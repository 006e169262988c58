"""A lower bound on every balanced selection, from prices on the validation rows.

Give validation row j a price y_j for being served. A candidate that serves V/n rows in full then pays, per unit of
mass, the mean of its V/n smallest reduced costs ``C_ij - y_j``: its reduced value phi_i. Relaxing "every validation
row is served exactly once" with these prices splits the selection problem into T independent ones, hence

    L(y) = mean_j y_j + (1/n) * (sum of the n smallest phi_i(y))  <=  objective of every selection of n rows.

At the transport duals of a selection S the reduced values of its own rows are its source potentials, so that
``objective(S) - L`` is the price of the n rows that S should have chosen instead.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from coresift.transport.block_cost import BlockCost
from coresift.transport.row_costs import row_values

FLOAT32_SLACK = 1e-3
FLOAT32_ROUNDING = 2e-6
ROWS_PER_MEDOID = 3


@dataclass(frozen=True)
class SelectionRules:
    """Which rows may be selected, and how many.

    Attributes:
        budget: Rows to select, n.
        fixed: Positions that every selection holds.
        candidates: (T,) rows that may be selected beside the fixed ones.
    """

    budget: int
    fixed: NDArray[np.int64]
    candidates: NDArray[np.bool_]

    def cheapest(self, values: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the selection of least total value: fixed rows and the smallest of the others, lowest row first."""
        others = np.flatnonzero(self.candidates)
        order = np.argsort(values[others], kind="stable")
        return np.concatenate([self.fixed, others[order[: self.budget - len(self.fixed)]]])


def lower_tail_mean(reduced: torch.Tensor, share: float) -> torch.Tensor:
    """Return the mean of the smallest entries of every row.

    Args:
        reduced: (b, V) reduced costs.
        share: How many entries, V/n; the last one counts in part where this is not whole.

    Returns:
        (b,) means.
    """
    whole = int(share + 1e-9)
    part = max(share - whole, 0.0)
    count = whole + (part > 1e-9)
    if count == 1:
        return reduced.amin(dim=1)
    smallest = reduced.topk(count, dim=1, largest=False, sorted=part > 0).values
    total = smallest.sum(dim=1)
    return (total - (1.0 - part) * smallest[:, -1]) / share if count > whole else total / share


def reduced_values(
    blocks: Iterable[tuple[NDArray[np.int64], torch.Tensor]], n_rows: int, prices: NDArray[np.float64], share: float
) -> NDArray[np.float64]:
    """Return the reduced values phi of streamed rows.

    Args:
        blocks: Positions of rows and their (b, V) costs, which are overwritten.
        n_rows: How many rows the stream has.
        prices: (V,) price of serving a validation row.
        share: Validation rows that a medoid serves, V/n.

    Returns:
        The values of all rows streamed, in float32 precision.
    """

    def reduced_value(block: torch.Tensor) -> torch.Tensor:
        return lower_tail_mean(block.sub_(torch.as_tensor(prices, dtype=torch.float32, device=block.device)), share)

    return row_values(blocks, n_rows, reduced_value)


def lower_bound(
    cost: BlockCost,
    rules: SelectionRules,
    prices: NDArray[np.float64],
    values: NDArray[np.float64],
) -> float:
    """Return the Lagrangian bound L(prices), proved in spite of float32 rounding.

    The rows that may decide the bound are valued again in float64; all others are taken at their float32 value less
    a slack that no rounding of a distance exceeds.

    Args:
        cost: The cost of T candidates.
        rules: Which selections the bound is for.
        prices: (V,) price of serving a validation row.
        values: (T,) reduced values at these prices in float32 precision.

    Returns:
        A value that no selection allowed by the rules is below.
    """
    slack = max(FLOAT32_SLACK * cost.largest_cost, FLOAT32_ROUNDING * cost.gradient_weight)
    cheapest = rules.cheapest(values)
    near = rules.candidates & (values <= values[cheapest].max() + slack)
    near_rows = np.flatnonzero(near)[np.argsort(values[near], kind="stable")[: ROWS_PER_MEDOID * rules.budget]]
    decisive = np.union1d(cheapest, near_rows)
    safe = values - slack
    share = cost.n_targets / rules.budget
    for chunk in np.array_split(decisive, -(-len(decisive) // cost.block_size)):
        reduced = torch.as_tensor(cost.rows(chunk, exact=True) - prices)
        safe[chunk] = lower_tail_mean(reduced, share).numpy()
    return float(prices.mean() + safe[rules.cheapest(safe)].mean())
