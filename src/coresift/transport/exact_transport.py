"""Exact optimal transport between two discrete masses: network simplex with column generation."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike
from ot.lp.emd_wrap import emd_c_sparse
from scipy.sparse import coo_matrix, csr_matrix

from coresift.compute import as_numpy
from coresift.transport.arcs import (
    ARCS_PER_NODE,
    Arcs,
    Floats,
    Integers,
    arcs_per_row,
    concatenated,
    nearest_arcs,
    northwest_arcs,
    smallest_places,
    union,
)
from coresift.transport.input_checks import as_masses

DUAL_TOLERANCE = 1e-9
SMALLEST_COST = 1e-150
MAX_ITERATIONS = 10**8
MAX_ROUNDS = 200
PRICING_ROWS = 64
OPTIMAL = 1
FAILURES = {
    0: "the masses cannot be moved along the costs given: source and target masses must have the same sum",
    2: "the costs are unbounded: they must be finite",
    3: f"it needs more than {MAX_ITERATIONS} iterations: the costs span too many orders of magnitude",
}


@dataclass(frozen=True)
class TransportPlan:
    """The optimal way to move one mass onto another, with its proof.

    Attributes:
        value: The least total cost.
        source_potentials: (n,) dual values u.
        target_potentials: (V,) dual values v, with ``u_i + v_j <= C_ij`` everywhere.
        plan: (n, V) sparse mass moved from each source to each target.
        arcs: The pairs (sources, targets) among which the solver looked, a good start for a similar problem.
    """

    value: float
    source_potentials: Floats
    target_potentials: Floats
    plan: csr_matrix
    arcs: Arcs = field(repr=False)


def solve_transport(
    cost_rows: ArrayLike,
    source_mass: ArrayLike | None = None,
    target_mass: ArrayLike | None = None,
    warm_start: TransportPlan | tuple[ArrayLike, ArrayLike] | None = None,
) -> TransportPlan:
    """Move one mass onto another at least cost, exactly.

    The network simplex runs on few promising pairs; pairs whose reduced cost is negative join until there are none,
    which proves the plan optimal for all pairs.

    Args:
        cost_rows: (n, V) cost of moving a unit from a source to a target.
        source_mass: (n,) non-negative masses; None for 1/n each.
        target_mass: (V,) non-negative masses with the same sum, up to the rounding of their type; None for 1/V each.
            Sums are made equal in float64, to that of the sources.
        warm_start: The plan, or the potentials (u, v), of a problem that differs in a few rows.

    Returns:
        The plan, its value and feasible dual potentials.

    Raises:
        ValueError: If costs or masses are not finite, negative, of the wrong shape, or of different sums.
        RuntimeError: If the solver does not reach a proven optimum.
    """
    costs = _as_costs(cost_rows)
    source, target, unit = as_masses(costs.shape, source_mass, target_mass)
    sources, targets = np.flatnonzero(source), np.flatnonzero(target)
    if len(sources) == len(source) and len(targets) == len(target):
        return _solve(costs, source, target, unit, warm_start)
    inner = _solve(np.ascontiguousarray(costs[np.ix_(sources, targets)]), source[sources], target[targets], unit, None)
    return _extend(inner, costs, sources, targets)


def _solve(
    costs: Floats, source: Floats, target: Floats, unit: float, warm_start: TransportPlan | tuple | None
) -> TransportPlan:
    arcs, potentials = _starting_point(costs, source, target, warm_start)
    for _ in range(MAX_ROUNDS):
        flow, potentials, scale = _simplex(costs, source, target, arcs, potentials)
        lowest, violating = _price(costs, *potentials, 0.1 * DUAL_TOLERANCE * scale)
        if not len(violating[0]):
            duals = lowest, potentials[1]
            _check(costs, flow, duals, scale)
            value = float(flow.data @ costs[flow.nonzero()]) * unit
            return TransportPlan(value, *duals, flow * unit, _prune(costs, duals, arcs, flow))
        arcs = union(arcs, violating, costs.shape[1])
        potentials = (np.minimum(potentials[0], lowest), potentials[1])
    raise RuntimeError(f"the transport problem is still not proven optimal after {MAX_ROUNDS} rounds of pricing.")


def _simplex(
    costs: Floats, source: Floats, target: Floats, arcs: Arcs, potentials: tuple[Floats, Floats]
) -> tuple[csr_matrix, tuple[Floats, Floats], float]:
    """Return the best flow on some pairs, its potentials, and the largest cost among them, the measure of rounding."""
    rows, columns = arcs
    arc_costs = costs[rows, columns]
    # The solver's tolerances are absolute, made for costs near 1.
    scale = max(float(np.abs(arc_costs).max()), SMALLEST_COST)
    moved_from, moved_to, mass, _, u, v, status = emd_c_sparse(
        source, target, rows.astype(np.uint64), columns.astype(np.uint64), arc_costs / scale, MAX_ITERATIONS,
        potentials[0] / scale, potentials[1] / scale,
    )  # fmt: skip
    if status != OPTIMAL:
        raise RuntimeError(f"the transport problem was not solved: {FAILURES.get(status, f'status {status}')}.")
    places = (moved_from.astype(np.int64), moved_to.astype(np.int64))
    # Potentials are free up to a shift, and the solver's may be large: a mean of 0 keeps them precise.
    shift = float(source @ u) / float(source.sum())
    flow = coo_matrix((mass, places), shape=costs.shape).tocsr()
    flow.eliminate_zeros()
    return flow, (scale * (u - shift), scale * (v + shift)), scale


def _price(costs: Floats, u: Floats, v: Floats, tolerance: float) -> tuple[Floats, Arcs]:
    """Return the largest feasible u for v, and the pairs that violate the u given by more than the tolerance."""
    lowest, rows, columns = np.empty(len(u)), [], []
    for start in range(0, len(u), PRICING_ROWS):
        reduced = costs[start : start + PRICING_ROWS] - v
        lowest[start : start + PRICING_ROWS] = smallest = reduced.min(axis=1)
        for row in np.flatnonzero(smallest < u[start : start + PRICING_ROWS] - tolerance):
            worst = smallest_places(reduced[row], 2 * ARCS_PER_NODE)
            worst = worst[reduced[row, worst] < u[start + row] - tolerance]
            rows.append(np.full(len(worst), start + row))
            columns.append(worst)
    return lowest, (concatenated(rows), concatenated(columns))


def _check(costs: Floats, flow: csr_matrix, potentials: tuple[Floats, Floats], scale: float) -> None:
    """Check that the dual value of the masses moved proves the primal one."""
    sent, received = np.asarray(flow.sum(axis=1)).ravel(), np.asarray(flow.sum(axis=0)).ravel()
    value, dual = flow.data @ costs[flow.nonzero()], sent @ potentials[0] + received @ potentials[1]
    if abs(value - dual) > DUAL_TOLERANCE * scale * sent.sum():
        raise RuntimeError(f"the transport value {value} differs from its dual bound {dual}: it is not proven optimal.")


def _starting_point(
    costs: Floats, source: Floats, target: Floats, warm_start: TransportPlan | tuple | None
) -> tuple[Arcs, tuple[Floats, Floats]]:
    feasible = northwest_arcs(source, target)
    if isinstance(warm_start, TransportPlan) and warm_start.plan.shape == costs.shape:
        arcs, potentials = _warm_arcs(costs, warm_start)
        return union(arcs, feasible, costs.shape[1]), potentials
    if warm_start is not None:
        given = warm_start if isinstance(warm_start, tuple) else (None, warm_start.target_potentials)
        v = np.asarray(given[1], dtype=np.float64)
        if v.shape != (costs.shape[1],):
            raise ValueError(f"warm_start has {v.shape} target potentials: the costs have {costs.shape[1]} targets.")
    else:
        v = np.zeros(costs.shape[1])
    arcs = union(nearest_arcs(costs - v), feasible, costs.shape[1])
    return arcs, ((costs - v).min(axis=1), v)


def _warm_arcs(costs: Floats, previous: TransportPlan) -> tuple[Arcs, tuple[Floats, Floats]]:
    """Return the previous pairs, and for rows that changed their nearest targets beside those they served."""
    v = previous.target_potentials
    lowest, _ = _price(costs, np.full(len(costs), -np.inf), v, 0.0)
    changed = np.flatnonzero(np.abs(lowest - previous.source_potentials) > DUAL_TOLERANCE)
    rows, columns = previous.arcs
    is_changed = np.zeros(len(costs), dtype=bool)
    is_changed[changed] = True
    kept = ~is_changed[rows]
    support = previous.plan[changed].tocoo()
    near = [smallest_places(costs[row] - v, arcs_per_row(costs.shape)) for row in changed]
    near_rows = [np.full(len(columns_of_row), row) for row, columns_of_row in zip(changed, near, strict=True)]
    arcs = union((rows[kept], columns[kept]), (changed[support.row], support.col), costs.shape[1])
    return union(arcs, (concatenated(near_rows), concatenated(near)), costs.shape[1]), (lowest, v)


def _prune(costs: Floats, potentials: tuple[Floats, Floats], arcs: Arcs, flow: csr_matrix) -> Arcs:
    """Keep the pairs of least reduced cost, so that a sequence of problems does not collect pairs for ever."""
    rows, columns = arcs
    limit = 3 * ARCS_PER_NODE * sum(costs.shape)
    if len(rows) <= limit:
        return arcs
    reduced = costs[rows, columns] - potentials[0][rows] - potentials[1][columns]
    best = np.sort(np.argpartition(reduced, limit)[:limit])
    return union((rows[best], columns[best]), flow.nonzero(), costs.shape[1])


def _extend(inner: TransportPlan, costs: Floats, sources: Integers, targets: Integers) -> TransportPlan:
    """Add the sources and targets without mass: no flow, and the largest potentials that stay feasible."""
    u, v = np.empty(costs.shape[0]), np.empty(costs.shape[1])
    u[sources], v[targets] = inner.source_potentials, inner.target_potentials
    idle_targets = np.setdiff1d(np.arange(len(v)), targets)
    v[idle_targets] = (costs[np.ix_(sources, idle_targets)] - u[sources, None]).min(axis=0)
    idle_sources = np.setdiff1d(np.arange(len(u)), sources)
    u[idle_sources] = (costs[idle_sources] - v).min(axis=1)
    flow = inner.plan.tocoo()
    plan = coo_matrix((flow.data, (sources[flow.row], targets[flow.col])), shape=costs.shape).tocsr()
    return TransportPlan(inner.value, u, v, plan, (sources[inner.arcs[0]], targets[inner.arcs[1]]))


def _as_costs(cost_rows: ArrayLike) -> Floats:
    costs = np.ascontiguousarray(as_numpy(cost_rows), dtype=np.float64)
    if costs.ndim != 2 or 0 in costs.shape:
        raise ValueError(f"cost_rows has shape {costs.shape}: it needs at least one source and one target.")
    if not np.isfinite(costs.sum()):
        if np.isfinite(costs).all():
            raise ValueError("cost_rows holds values whose sum is beyond all numbers: divide them by the largest one.")
        raise ValueError("cost_rows holds values that are not finite: transport needs finite costs.")
    return costs
