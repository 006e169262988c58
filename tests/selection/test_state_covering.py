"""Coverage of states: any selector within clusters."""

from __future__ import annotations

import numpy as np
import pytest
from selection_pools import N_TRAIN, make_pool, pool_of

from coresift.selection import (
    SELECTORS,
    CandidatePool,
    MissingInputError,
    RandomSelector,
    StateCoveringSelector,
    choose,
)


def two_groups(n_large=190, n_small=10):
    generator = np.random.default_rng(0)
    states = np.concatenate([generator.normal(0, 0.1, (n_large, 3)), generator.normal(5, 0.1, (n_small, 3))])
    return states.astype(np.float32), states[[0, 1, -1]].astype(np.float32)


@pytest.mark.parametrize("name", SELECTORS)
def test_it_works_with_every_selector(name):
    chosen = choose(make_pool(), name, budget=24, state_clusters=3)
    assert len(set(chosen.positions)) == 24
    assert sum(chosen.report["state_budgets"]) == 24
    assert sum(chosen.report["state_clusters"]) == N_TRAIN
    assert chosen.table["weight"].to_numpy().mean() == pytest.approx(1.0)
    np.testing.assert_array_equal(chosen.positions, choose(make_pool(), name, budget=24, state_clusters=3).positions)


def test_a_small_group_gets_half_of_an_equal_share():
    states, validation = two_groups()
    pool = pool_of(states, validation, feature="state", scores={"el2n": np.arange(200)[::-1].copy()})
    assert (SELECTORS["el2n"](budget=20).fit(pool).selected_indices_ < 190).all(), "alone, it goes without"
    selector = StateCoveringSelector(SELECTORS["el2n"](), 20, n_clusters=2).fit(pool)
    small = selector.selected_indices_ >= 190
    assert small.sum() == 5
    assert set(selector.selected_indices_[small]) == set(range(190, 195)), "the best of its own"
    assert sorted(selector.diagnostics_["state_budgets"]) == [5, 15]
    assert np.flatnonzero(small).max() > 10, "ranks of the groups are mixed"


def test_half_of_an_equal_share_is_rounded_up_as_far_as_the_budget_goes():
    centers = np.repeat([[0, 0], [50, 0], [0, 50], [50, 50]], [97, 1, 1, 1], axis=0)
    states = (centers + np.random.default_rng(0).normal(0, 0.1, centers.shape)).astype(np.float32)
    pool = pool_of(states, states[[0, 97, 98, 99]], feature="state")
    for budget, expected in ((4, [1, 1, 1, 1]), (9, [1, 1, 1, 6]), (2, [0, 0, 0, 2])):
        selector = StateCoveringSelector(RandomSelector(), budget, n_clusters=4).fit(pool)
        assert sorted(selector.diagnostics_["state_budgets"]) == expected


def test_a_selector_sees_the_validation_samples_of_its_group():
    states, validation = two_groups()
    pool = CandidatePool(
        sample_id=np.arange(200), state=states, validation_state=validation,
        embedding=states[:, :1], validation_embedding=validation[:, :1],
    )  # fmt: skip
    selector = StateCoveringSelector(SELECTORS["knn"](), 4, n_clusters=2).fit(pool)
    assert {0, 1, 199} <= set(selector.selected_indices_)


def test_a_budget_below_the_clusters_and_the_whole_pool_are_exact():
    for budget in (1, 2, N_TRAIN):
        selector = StateCoveringSelector(RandomSelector(), budget, n_clusters=5).fit(make_pool())
        assert len(set(selector.selected_indices_)) == budget


def test_states_are_required_and_clusters_counted():
    with pytest.raises(MissingInputError, match="no state: run the surrogate pipeline"):
        StateCoveringSelector(RandomSelector(), 5).fit(make_pool(state=None))
    with pytest.raises(ValueError, match="n_clusters is 0"):
        StateCoveringSelector(RandomSelector(), 5, n_clusters=0).fit(make_pool())


def test_a_subset_keeps_every_feature_of_its_rows():
    pool = make_pool()
    part = pool.subset(np.array([5, 2]), np.array([7]))
    assert part.sample_id.tolist() == [15, 6]
    np.testing.assert_array_equal(part.embedding, pool.embedding[[5, 2]])
    np.testing.assert_array_equal(part.validation_label, pool.validation_label[[7]])
    np.testing.assert_array_equal(part.scores["el2n"], pool.scores["el2n"][[5, 2]])
    assert part.n_validation == 1
