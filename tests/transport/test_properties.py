from __future__ import annotations

import numpy as np
import ot
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from coresift.transport import BlockCost, balanced_k_medoids, solve_transport

numbers = st.floats(-8, 8, width=32).map(lambda value: round(value, 2))


@st.composite
def costs(draw):
    """Small random instances, with duplicates and ties as they come."""
    n_train, n_valid, dimensions = draw(st.integers(1, 14)), draw(st.integers(1, 10)), draw(st.integers(1, 3))
    train = draw(arrays(np.float32, (n_train, dimensions), elements=numbers))
    valid = draw(arrays(np.float32, (n_valid, dimensions), elements=numbers))
    norms = draw(arrays(np.float64, n_train, elements=st.floats(0, 3)))
    return BlockCost(train, valid, norms, draw(st.sampled_from([0.0, 0.1, 1.0])), block_size=draw(st.integers(1, 9)))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(cost=costs(), data=st.data())
def test_every_selection_is_distinct_exact_and_above_its_bound(cost, data):
    budget = data.draw(st.integers(1, len(cost)))
    method = data.draw(st.sampled_from(["certified", "itra", "itra_released"]))
    result = balanced_k_medoids(cost, budget, method=method, max_solves=40)
    assert len(np.unique(result.indices)) == budget
    masses = np.full(budget, 1 / budget), np.full(cost.n_targets, 1 / cost.n_targets)
    chosen = cost.rows(result.indices, exact=True) + cost.gradient_weight
    assert result.objective == pytest.approx(ot.emd2(*masses, chosen) - cost.gradient_weight, abs=1e-9)
    other = data.draw(st.permutations(range(len(cost))))[:budget]
    assert result.lower_bound <= solve_transport(cost.rows(other, exact=True)).value + 1e-12


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    rows=arrays(np.float64, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.floats(-5, 5)),
)
def test_transport_is_exact_for_any_shape(rows):
    found = solve_transport(rows)
    masses = [np.full(size, 1 / size) for size in rows.shape]
    # POT's own front end calls some problems with negative costs infeasible.
    assert found.value == pytest.approx(ot.emd2(*masses, rows - rows.min()) + rows.min(), abs=1e-9)
    assert (rows - found.source_potentials[:, None] - found.target_potentials).min() >= -1e-9
