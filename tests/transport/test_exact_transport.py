from __future__ import annotations

import numpy as np
import ot
import pytest
from scipy.optimize import linprog

from coresift.transport import solve_transport

SHAPES = [(1, 1), (1, 9), (9, 1), (5, 5), (4, 12), (7, 23), (23, 7), (64, 200)]


@pytest.mark.parametrize(("n_sources", "n_targets"), SHAPES)
def test_value_plan_and_duals_agree_with_an_independent_solver(n_sources, n_targets):
    costs = np.random.default_rng(n_sources * 100 + n_targets).normal(size=(n_sources, n_targets))
    found = solve_transport(costs)
    source, target = np.full(n_sources, 1 / n_sources), np.full(n_targets, 1 / n_targets)
    assert found.value == pytest.approx(ot.emd2(source, target, costs), abs=1e-12)
    plan = found.plan.toarray()
    np.testing.assert_allclose(plan.sum(axis=1), source, atol=1e-12)
    np.testing.assert_allclose(plan.sum(axis=0), target, atol=1e-12)
    assert found.plan.nnz <= n_sources + n_targets - 1
    slack = costs - found.source_potentials[:, None] - found.target_potentials
    assert slack.min() >= -1e-12
    assert source @ found.source_potentials + target @ found.target_potentials == pytest.approx(found.value, abs=1e-9)


def test_value_equals_linear_programming():
    generator = np.random.default_rng(1)
    costs, source, target = generator.random((6, 9)), generator.random(6), generator.random(9)
    source, target = source / source.sum(), target / target.sum()
    marginals = np.vstack([np.kron(np.eye(6), np.ones(9)), np.kron(np.ones(6), np.eye(9))])
    expected = linprog(costs.ravel(), A_eq=marginals, b_eq=np.concatenate([source, target])).fun
    assert solve_transport(costs, source, target).value == pytest.approx(expected, abs=1e-9)


def test_warm_starts_give_the_same_optimum():
    generator = np.random.default_rng(2)
    costs = generator.random((30, 90))
    first = solve_transport(costs)
    costs[[3, 8]] = generator.random((2, 90))
    cold = solve_transport(costs)
    for start in (first, (first.source_potentials, first.target_potentials), solve_transport(costs[:20])):
        assert solve_transport(costs, warm_start=start).value == pytest.approx(cold.value, abs=1e-12)


def test_a_warm_start_may_have_had_other_masses():
    costs = np.random.default_rng(4).random((3, 8))
    start = solve_transport(costs)
    source = [0.9, 0.05, 0.05]
    warm = solve_transport(costs, source_mass=source, warm_start=start)
    assert warm.value == pytest.approx(solve_transport(costs, source_mass=source).value, abs=1e-12)


@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_the_unit_of_costs_does_not_matter(scale):
    costs = np.random.default_rng(5).random((20, 70))
    assert solve_transport(costs * scale).value == pytest.approx(scale * solve_transport(costs).value, rel=1e-9)


def test_costs_far_below_the_largest_one_are_solved():
    assert solve_transport([[5.0, 1e-5], [1e-5, 1e-5]]).value == pytest.approx(1e-5, abs=1e-12)


def test_rows_without_mass_move_nothing_and_keep_the_duals_feasible():
    costs = np.random.default_rng(3).random((4, 5))
    found = solve_transport(costs, [0.5, 0.0, 0.25, 0.25], [0.2, 0.0, 0.4, 0.2, 0.2])
    assert found.plan.toarray()[1].sum() == 0
    assert found.plan.toarray()[:, 1].sum() == 0
    assert (costs - found.source_potentials[:, None] - found.target_potentials).min() >= -1e-12


def test_ties_and_duplicates_are_solved():
    assert solve_transport(np.zeros((6, 10))).value == 0.0
    assert solve_transport(np.tile(np.eye(3), (2, 1))).value == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cost_rows": np.full((2, 2), np.nan)}, "not finite"),
        ({"cost_rows": np.zeros((0, 2))}, "at least one source"),
        ({"cost_rows": np.zeros((2, 2)), "source_mass": [1.0]}, "source_mass must hold 2"),
        ({"cost_rows": np.zeros((2, 2)), "target_mass": [-1.0, 2.0]}, "target_mass must hold 2"),
        ({"cost_rows": np.zeros((2, 2)), "source_mass": [1.0, 1.0], "target_mass": [1.0, 0.5]}, "one positive sum"),
        ({"cost_rows": np.zeros((2, 2)), "warm_start": (np.zeros(2), np.zeros(3))}, "target potentials"),
    ],
)
def test_bad_input_says_what_is_wrong(arguments, message):
    with pytest.raises(ValueError, match=message):
        solve_transport(**arguments)
