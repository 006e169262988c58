from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coresift.selection.budgets import label_budgets


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data())
def test_budgets_add_up_and_fit_the_classes(data):
    n_classes = data.draw(st.integers(1, 6))
    sizes = data.draw(st.lists(st.integers(1, 30), min_size=n_classes, max_size=n_classes))
    counts = data.draw(st.lists(st.integers(1, 30), min_size=n_classes, max_size=n_classes))
    budget = data.draw(st.integers(1, sum(sizes)))
    label, valid = np.repeat(np.arange(n_classes), sizes), np.repeat(np.arange(n_classes), counts)
    budgets = label_budgets(label, valid, budget)
    assert sum(budgets.values()) == budget
    assert all(0 <= budgets[one] <= sizes[one] for one in range(n_classes))
    if budget >= n_classes:
        assert min(budgets.values()) >= 1
    quotas = budget * np.array(counts) / sum(counts)
    if (np.array(sizes) >= quotas + 1).all() and (quotas >= 1).all():
        assert max(abs(budgets[one] - quotas[one]) for one in range(n_classes)) < 1


def test_largest_remainders_win():
    assert label_budgets(np.repeat([0, 1, 2], 50), np.repeat([0, 1, 2], [47, 16, 37]), 10) == {0: 5, 1: 1, 2: 4}


def test_a_validation_class_that_the_pool_lacks_is_refused():
    with pytest.raises(ValueError, match="no candidate has the label 2 of 3 validation samples"):
        label_budgets(np.array([0, 1, 1]), np.array([0, 1, 2, 2, 2]), 2)


def test_too_few_candidates_of_validation_classes_are_refused():
    with pytest.raises(ValueError, match=r"budget 3 > 2 candidates .* classes: lower .* or select without labels"):
        label_budgets(np.array([0, 0, 1, 1]), np.array([0]), 3)
