"""The greedy start: medoids added one by one, each lowering the mean cost of the nearest medoid most."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csc_matrix, csr_matrix

from coresift.transport.block_cost import BlockCost
from coresift.transport.row_costs import row_values

SPARSE_ENTRIES = 2**24
SPARSE_SHARE = 1 / 16
SAMPLED_ROWS = 256
SMALLEST_BATCH = 128
CHECK_EVERY = 4


def greedy_medoids(
    cost: BlockCost, budget: int, fixed: NDArray[np.int64], candidates: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Chooses rows greedily for facility location, exactly as if every gain were computed at every step.

    The capacity of a medoid is ignored here. While most pairs still matter, gains are lazy: an old gain bounds the
    new one from above (the objective is submodular, Minoux 1978), so that few rows are measured again. As soon as the
    pairs that can still lower the objective fit in memory, they are gathered once and gains are updated from them.

    Args:
        cost: The cost of T candidates.
        budget: How many rows to return.
        fixed: Rows that come first in any case.
        candidates: (T,) which rows may be added.

    Returns:
        (budget,) distinct rows in the order they were added; rows that gain nothing come in order of mean cost.
    """
    search = _LazyGains(cost, fixed, candidates)
    chosen = list(fixed)
    while len(chosen) < budget and not (search.is_exhausted or search.fits_in_memory(len(chosen))):
        chosen.append(search.pop())
    if len(chosen) < budget and not search.is_exhausted:
        chosen += _finish_sparse(search, budget - len(chosen))
    return np.asarray(_fill_up(chosen, budget, search), dtype=np.int64)


class _LazyGains:
    """Upper bounds on the gain of every row, measured again only at the top."""

    def __init__(self, cost: BlockCost, fixed: NDArray[np.int64], candidates: NDArray[np.bool_]) -> None:
        self.cost = cost
        self.nearest = torch.full((cost.n_targets,), cost.largest_cost, device=cost.device)
        self.open = candidates.copy()
        self.open[fixed] = False
        for _, block in cost.blocks(fixed):
            self.nearest = torch.minimum(self.nearest, block.amin(dim=0))
        self.gains = self._measure(None)
        self.first_gains = self.gains.copy()
        self.gains[~self.open] = -np.inf

    @property
    def is_exhausted(self) -> bool:
        """Whether no row lowers the objective any more."""
        return not self.gains.max(initial=-np.inf) > 0

    def fits_in_memory(self, n_chosen: int) -> bool:
        """Whether the pairs below the nearest cost, estimated from every so many rows, are few enough."""
        if n_chosen % CHECK_EVERY:
            return False
        n_rows = len(self.cost)
        sample = np.linspace(0, n_rows - 1, min(n_rows, SAMPLED_ROWS)).astype(np.int64)
        below = sum(int((block < self.nearest).sum()) for _, block in self.cost.blocks(sample))
        share = below / (len(sample) * self.cost.n_targets)
        return share <= SPARSE_SHARE and share * n_rows * self.cost.n_targets <= SPARSE_ENTRIES

    def pop(self) -> int:
        """Remove and return the row of largest gain; the lowest row among equals."""
        best, best_gain, fresh, batch = -1, -np.inf, np.zeros(len(self.gains), dtype=bool), SMALLEST_BATCH
        while True:
            stale = np.where(fresh, -np.inf, self.gains)
            rows = _largest(stale, batch)
            if stale[rows].max(initial=-np.inf) < best_gain or not len(rows):
                break
            self.gains[rows], fresh[rows] = self._measure(rows), True
            best_gain = self.gains[fresh].max()
            best, batch = int(np.flatnonzero(fresh & (self.gains == best_gain))[0]), 2 * batch
        self.take(best)
        return best

    def take(self, row: int) -> None:
        """Close a row and lower the nearest costs to it."""
        self.open[row], self.gains[row] = False, -np.inf
        own = torch.as_tensor(self.cost.rows([row])[0], device=self.nearest.device)
        self.nearest = torch.minimum(self.nearest, own)

    def _measure(self, rows: NDArray[np.int64] | None) -> NDArray[np.float64]:
        n_rows = len(self.cost) if rows is None else len(rows)
        return row_values(
            self.cost.blocks(rows), n_rows, lambda block: -block.sub_(self.nearest).clamp_(max=0.0).sum(dim=1)
        )


def _finish_sparse(search: _LazyGains, n_steps: int) -> list[int]:
    """Add rows from the pairs that still matter, each step touching only the columns it improves."""
    nearest = search.nearest.cpu().numpy().astype(np.float64)
    by_row, by_column = _pairs_below(search)
    entry_rows = np.repeat(np.arange(len(search.gains)), np.diff(by_row.indptr))
    lowered = nearest[by_row.indices] - by_row.data
    gains = np.bincount(entry_rows, lowered, minlength=len(search.gains)).astype(np.float64)
    gains[~search.open] = -np.inf
    added: list[int] = []
    while len(added) < n_steps and gains.max() > 0:
        row = int(gains.argmax())
        columns, costs = by_row.indices[by_row.indptr[row] : by_row.indptr[row + 1]], by_row[row].data
        better = costs < nearest[columns]
        columns, costs = columns[better], costs[better].astype(np.float64)
        _lower(gains, by_column, columns, nearest[columns], costs)
        nearest[columns], gains[row], search.open[row] = costs, -np.inf, False
        added.append(row)
    return added


def _pairs_below(search: _LazyGains) -> tuple[csr_matrix, csc_matrix]:
    """Return the costs below the nearest cost of their column, by rows and by columns."""
    counts, columns, costs = [np.zeros(1, dtype=np.int64)], [], []
    for _, block in search.cost.blocks():
        rows, places = (block < search.nearest).nonzero(as_tuple=True)
        counts.append(torch.bincount(rows, minlength=len(block)).cpu().numpy())
        columns.append(places.to(torch.int32).cpu().numpy())
        costs.append(block[rows, places].cpu().numpy())
    shape = (len(search.cost), search.cost.n_targets)
    indptr = np.cumsum(np.concatenate(counts))
    by_row = csr_matrix((np.concatenate(costs), np.concatenate(columns), indptr), shape=shape)
    return by_row, by_row.tocsc()


def _lower(
    gains: NDArray[np.float64],
    by_column: csc_matrix,
    columns: NDArray[np.integer],
    before: NDArray[np.float64],
    after: NDArray[np.float64],
) -> None:
    """Take from every gain what the columns lost."""
    starts, lengths = by_column.indptr[columns], np.diff(by_column.indptr)[columns]
    places = np.repeat(starts - np.cumsum(lengths) + lengths, lengths) + np.arange(lengths.sum())
    costs = by_column.data[places]
    lost = np.maximum(np.repeat(before, lengths) - costs, 0.0) - np.maximum(np.repeat(after, lengths) - costs, 0.0)
    np.subtract.at(gains, by_column.indices[places], lost)


def _fill_up(chosen: list[int], budget: int, search: _LazyGains) -> list[int]:
    """Add the rows of least mean cost where too few rows gain anything."""
    missing = budget - len(chosen)
    if not missing:
        return chosen
    by_mean_cost = np.lexsort((np.arange(len(search.open)), -search.first_gains))
    return chosen + [int(row) for row in by_mean_cost[search.open[by_mean_cost]][:missing]]


def _largest(values: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Positions of the largest finite values, in ascending order."""
    if count < len(values):
        threshold = np.partition(values, len(values) - count)[len(values) - count]
        positions = np.flatnonzero(values >= threshold)
    else:
        positions = np.arange(len(values))
    return positions[np.isfinite(values[positions])]
