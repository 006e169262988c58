"""Gradient weights far above distances: rounding of large costs must not let a forbidden row in."""

from __future__ import annotations

import numpy as np
import ot
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coresift.transport import BlockCost, balanced_k_medoids

N_TRAIN, N_VALID, BUDGET = 60, 24, 6


def instance(seed, gradient_weight):
    generator = np.random.default_rng(seed)
    train, valid = generator.normal(size=(N_TRAIN, 4)), generator.normal(size=(N_VALID, 4))
    norms = generator.uniform(0.5, 1.0, size=N_TRAIN)
    norms[0] = 1.0
    return BlockCost(train.astype(np.float32), valid.astype(np.float32), norms, gradient_weight)


def transport_cost(cost, indices):
    """The objective, from distances and norms apart, so that large norms cost the solver no precision."""
    rows = cost.rows(indices, exact=True)
    lowest = rows.min(axis=1)
    masses = np.full(len(indices), 1 / len(indices)), np.full(cost.n_targets, 1 / cost.n_targets)
    return ot.emd2(*masses, rows - lowest[:, None]) + lowest.mean()


@settings(max_examples=35, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 30),
    exponent=st.floats(-1, 4),
    method=st.sampled_from(["certified", "itra"]),
    rows=st.permutations(range(8)),
    n_fixed=st.integers(0, 3),
    n_excluded=st.integers(0, 5),
)
def test_rows_are_distinct_and_rules_hold_at_every_weight(seed, exponent, method, rows, n_fixed, n_excluded):
    cost = instance(seed, 10**exponent)
    fixed, excluded = rows[:n_fixed], rows[n_fixed : n_fixed + n_excluded]
    result = balanced_k_medoids(cost, BUDGET, method=method, max_solves=60, fixed=fixed, exclude=excluded)
    assert len(np.unique(result.indices)) == BUDGET
    assert set(fixed) <= set(result.indices)
    assert not set(excluded) & set(result.indices)
    assert result.objective == pytest.approx(transport_cost(cost, result.indices), rel=1e-8)


@pytest.mark.parametrize("gradient_weight", [2.5, 30.0, 1e3, 1e4])
def test_a_certificate_holds_against_every_single_exchange(gradient_weight):
    for seed in range(3):
        cost = instance(seed, gradient_weight)
        result = balanced_k_medoids(cost, BUDGET, max_solves=5000)
        outside = np.setdiff1d(np.arange(N_TRAIN), result.indices)
        exchanged = min(
            transport_cost(cost, np.append(np.delete(result.indices, place), row))
            for place in range(BUDGET)
            for row in outside
        )
        assert result.certified
        assert exchanged >= result.objective - 1e-9 * gradient_weight
        assert result.lower_bound <= min(exchanged, result.objective) + 1e-9 * gradient_weight
