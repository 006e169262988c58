"""DEALRec in faithful mode, its switches, and its control."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr
from selection_pools import N_TRAIN, make_pool, pool_of

from coresift.selection import SELECTORS, DealrecSelector

FAITHFUL = {"normalization": "minmax", "strata": "width", "prune_share": 0.1, "quota_exponent": 0.0}


def minmax(values):
    return (values - values.min()) / (values.max() - values.min())


def naive_counts(scores, kept, budget, n_strata, exponent):
    """How many of every stratum Algorithm 2 takes, one stratum after the other."""
    low, high = min(scores[kept]), max(scores[kept])
    sizes = [0] * n_strata
    for row in kept:
        sizes[min(int((scores[row] - low) / (high - low) * n_strata), n_strata - 1)] += 1
    taken, left = [0] * n_strata, budget
    waiting = sorted((size, place) for place, size in enumerate(sizes) if size)
    while waiting:
        total = sum(size**exponent for size, _ in waiting)
        size, place = waiting.pop(0)
        taken[place] = min(size, int(left * size**exponent / total + 1e-9))
        left -= taken[place]
    return [size for size in sizes if size], [taken[place] for place, size in enumerate(sizes) if size]


@pytest.mark.parametrize("n_strata", [5, 50])
@pytest.mark.parametrize("budget", [1, 20, 81])
@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
def test_faithful_mode_follows_a_plain_implementation(n_strata, budget, exponent):
    pool = make_pool()
    options = FAITHFUL | {"quota_exponent": exponent}
    selector = DealrecSelector(budget=budget, n_strata=n_strata, **options).fit(pool)
    scores = minmax(pool.influence) + 0.3 * minmax(pool.gradient_norm)
    np.testing.assert_allclose(selector.scores_, scores)
    kept = np.argsort(-scores)[9:]
    assert set(selector.selected_indices_) <= set(kept)
    sizes, taken = naive_counts(scores, kept, budget, n_strata, exponent)
    assert selector.diagnostics_["strata_sizes"] == sizes
    assert selector.diagnostics_["strata_taken"] == taken
    assert sum(taken) == budget
    assert (np.diff(scores[selector.selected_indices_]) <= 0).all(), "best first"


def test_ranks_are_averages_so_that_ties_stay_ties():
    pool = make_pool(influence=np.repeat([0.0, 5.0, 1000.0], 30), gradient_norm=np.arange(N_TRAIN) * 1.0)
    selector = DealrecSelector(budget=10, effort_weight=2.0).fit(pool)
    influence_rank = np.repeat([15.5, 45.5, 75.5], 30) / N_TRAIN
    np.testing.assert_allclose(selector.scores_, influence_rank + 2.0 * (np.arange(N_TRAIN) + 1) / N_TRAIN)


def test_quantile_strata_hold_equally_many_and_give_equally_many():
    options = {"strata": "quantile", "n_strata": 8, "prune_share": 0.0, "normalization": "minmax"}
    selector = DealrecSelector(budget=24, **options).fit(make_pool())
    assert max(selector.diagnostics_["strata_sizes"]) - min(selector.diagnostics_["strata_sizes"]) <= 1
    assert selector.diagnostics_["strata_taken"] == [3] * 8


def test_without_strata_the_highest_scores_below_the_pruned_ones_are_taken():
    selector = DealrecSelector(budget=20, strata="none", prune_share=0.1).fit(make_pool())
    order = np.argsort(-selector.scores_)
    np.testing.assert_array_equal(selector.selected_indices_, order[9:29])


def test_a_temperature_draws_by_score():
    pool = make_pool()
    options = {"strata": "none", "prune_share": 0.0, "normalization": "minmax", "temperature": 0.5}
    counts = np.zeros(N_TRAIN)
    for seed in range(100):
        counts[DealrecSelector(budget=20, random_state=seed, **options).fit(pool).selected_indices_] += 1
    scores = DealrecSelector(budget=20, **options).fit(pool).scores_
    assert spearmanr(counts, scores).statistic > 0.9
    assert counts.min() > 0
    cold = DealrecSelector(budget=20, **options | {"temperature": 1e-9}).fit(pool)
    np.testing.assert_array_equal(cold.selected_indices_, np.argsort(-scores)[:20])


def test_pruned_samples_return_least_hard_first_where_the_rest_does_not_suffice():
    selector = DealrecSelector(budget=88, prune_share=0.5).fit(make_pool())
    assert selector.diagnostics_["pruned"] == 2
    assert selector.diagnostics_["returned_from_pruned"] == 43
    missing = np.setdiff1d(np.arange(N_TRAIN), selector.selected_indices_)
    assert selector.scores_[missing].min() >= np.delete(selector.scores_, missing).max()


@pytest.mark.parametrize("normalization", ["rank", "minmax"])
@pytest.mark.parametrize("strata", ["width", "quantile", "none"])
def test_scores_that_are_all_equal_are_survived(normalization, strata):
    pool = make_pool(influence=np.zeros(N_TRAIN), gradient_norm=np.zeros(N_TRAIN))
    selector = DealrecSelector(budget=40, normalization=normalization, strata=strata).fit(pool)
    assert len(set(selector.selected_indices_)) == 40
    assert selector.diagnostics_["zero_influence"] == N_TRAIN


def test_the_largest_score_is_in_the_last_stratum():
    values = np.linspace(0.0, 0.7, 71)
    pool = pool_of(influence=values, gradient_norm=np.ones(71))
    selector = DealrecSelector(budget=7, n_strata=7, prune_share=0.0, normalization="minmax").fit(pool)
    assert len(selector.diagnostics_["strata_sizes"]) == 7
    assert selector.diagnostics_["strata_sizes"][-1] == 11


def test_width_strata_prefer_rare_scores_on_both_sides():
    influence = np.random.default_rng(0).normal(size=2000)
    pool = pool_of(influence=influence, gradient_norm=np.ones(2000))
    selector = DealrecSelector(budget=200, **FAITHFUL).fit(pool)
    threshold = np.quantile(influence, 0.05)
    assert (influence[selector.selected_indices_] < threshold).mean() > 0.15, "the lowest 5 % are over-represented"
    assert influence[selector.selected_indices_].max() <= np.quantile(influence, 0.9), "the hardest are pruned"


def test_shuffled_scores_are_the_same_scores_in_other_hands():
    pool = make_pool()
    plain, shuffled = (SELECTORS[name](budget=20).fit(pool) for name in ("dealrec", "dealrec_shuffled"))
    np.testing.assert_allclose(np.sort(plain.scores_), np.sort(shuffled.scores_))
    assert plain.diagnostics_["strata_taken"] == shuffled.diagnostics_["strata_taken"]
    seeds = [SELECTORS["dealrec_shuffled"](budget=20, random_state=seed).fit(pool).scores_ for seed in range(30)]
    correlation = np.mean([spearmanr(plain.scores_, scores).statistic for scores in seeds])
    assert abs(correlation) < 0.1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"normalization": "log"}, "normalization is 'log': use one of rank, minmax"),
        ({"strata": "deep"}, "strata is 'deep': use one of width, quantile, none"),
        ({"n_strata": 0}, "n_strata is 0: it must be at least 1"),
        ({"prune_share": 1.0}, "prune_share is 1.0: it must be at least 0 and below 1"),
        ({"quota_exponent": 1.5}, "quota_exponent is 1.5: it must be at least 0 and at most 1"),
        ({"temperature": -1.0}, "temperature is -1.0: it must be at least 0"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        DealrecSelector(budget=5, **options).fit(make_pool())
