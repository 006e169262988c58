"""Alternation: keep the plan, move every medoid at once to the row that suits its validation rows best, solve again."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

from coresift.transport.active_rows import CostStream
from coresift.transport.medoid_search import MedoidSearch

LIST_LENGTH = 48
FLOAT32_MARGIN = 1e-7
NOBODY = -1


def alternate(search: MedoidSearch, stream: CostStream, max_rounds: int = 100) -> bool:
    """Move medoids until no move under a fixed plan gains anything.

    The plan stays feasible whichever rows stand in the places of the medoids, so the gains of different medoids add
    up to a guaranteed improvement. A one-to-one assignment gives every medoid a row of its own: without it, a few
    attractive rows would be taken once and all other medoids would stay where they are.

    Args:
        search: The search to improve.
        stream: The rows that medoids may move to.
        max_rounds: How many times all medoids move at most.

    Returns:
        Whether the selection improved.
    """
    before = search.objective
    for _ in range(max_rounds):
        if search.effort.is_spent:
            break
        positions, replacements = best_moves(search, stream)
        if not len(positions) or not search.attempt(positions, replacements):
            break
    return search.objective < before


def best_moves(search: MedoidSearch, stream: CostStream) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the one-to-one moves of largest total gain under the present plan.

    Args:
        search: The search whose medoids may move.
        stream: The rows that medoids may move to.

    Returns:
        Which medoids move and the rows they move to.
    """
    movable = np.flatnonzero(search.movable)
    if not len(movable):
        return movable, movable
    served = search.plan.plan[movable] * len(search.indices)
    own = np.asarray(served.multiply(search.rows[movable]).sum(axis=1)).ravel()
    costs, rows = _best_rows(stream, served, own, search.outside)
    medoid, place = np.nonzero((rows != NOBODY) & (costs < own[:, None] - FLOAT32_MARGIN))
    gains = (own[:, None] - costs)[medoid, place]
    moved, targets = _assign(medoid, rows[medoid, place], gains, len(movable))
    return movable[moved], targets


def _best_rows(
    stream: CostStream, served: csr_matrix, own: NDArray[np.float64], outside: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """For every medoid the rows that would serve its validation rows at less than its own cost, in one pass.

    Places for which there are too few such rows hold the medoid's own cost and NOBODY.
    """
    weights = _sparse(served, stream.device)
    limit = torch.as_tensor(own, dtype=torch.float32, device=stream.device)
    best = limit[:, None].repeat(1, min(LIST_LENGTH, len(outside)))
    best_rows = torch.full(best.shape, NOBODY, device=stream.device)
    closed = torch.as_tensor(~outside, device=stream.device)
    for positions, block in stream.blocks():
        rows = torch.as_tensor(positions, device=stream.device)
        block_costs = torch.sparse.mm(weights, block.T.contiguous())
        block_costs[:, closed[rows]] = torch.inf
        better = (block_costs.amin(dim=1) < best[:, -1]).nonzero()[:, 0]
        if len(better):
            best[better], best_rows[better] = _merge(best[better], best_rows[better], block_costs[better], rows)
    return best.double().cpu().numpy(), best_rows.cpu().numpy()


def _sparse(matrix: csr_matrix, device: torch.device) -> torch.Tensor:
    entries = matrix.tocoo()
    return torch.sparse_coo_tensor(
        torch.as_tensor(np.stack([entries.row, entries.col]), dtype=torch.int64),
        torch.as_tensor(entries.data, dtype=torch.float32),
        size=matrix.shape,
        device=device,
        check_invariants=True,
    ).coalesce()


def _merge(
    best: torch.Tensor, best_rows: torch.Tensor, costs: torch.Tensor, rows: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    top, places = costs.topk(min(best.shape[1], costs.shape[1]), dim=1, largest=False)
    joined, joined_rows = torch.cat([best, top], dim=1), torch.cat([best_rows, rows[places]], dim=1)
    best, places = joined.topk(best.shape[1], dim=1, largest=False)
    return best, joined_rows.gather(1, places)


def _assign(
    medoid: NDArray[np.int64], row: NDArray[np.int64], gain: NDArray[np.float64], n_medoids: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the matching of largest total gain, in which a medoid may also stay (an edge of its own with gain 0)."""
    distinct, column = np.unique(row, return_inverse=True)
    stay = np.arange(n_medoids)
    edges = np.concatenate([medoid, stay]), np.concatenate([column, len(distinct) + stay])
    # The solver takes a weight of 0 for a missing edge, hence the 1.
    weights = np.concatenate([1.0 + gain, np.ones(n_medoids)])
    graph = coo_matrix((weights, edges), shape=(n_medoids, len(distinct) + n_medoids)).tocsr()
    medoids, columns = min_weight_full_bipartite_matching(graph, maximize=True)
    moves = columns < len(distinct)
    return medoids[moves].astype(np.int64), distinct[columns[moves]]
