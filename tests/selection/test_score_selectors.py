"""Selectors that look at a score or at traits of samples, beside plain implementations."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from selection_pools import N_TRAIN, make_pool, pool_of
from toy_samples import toy_samples

from coresift.selection import SELECTORS
from coresift.selection.budgets import quantile_strata
from coresift.selection.pool_assembly import sample_traits


@pytest.mark.parametrize(
    ("name", "options", "score"),
    [
        ("grand", {}, "grand"),
        ("grand", {"score": "gradient_norm"}, "gradient_norm"),
        ("el2n", {}, "el2n"),
        ("target_loss_drop", {}, "loss_drop"),
    ],
)
def test_the_highest_scores_are_taken_best_first(name, options, score):
    pool = make_pool()
    values = pool.gradient_norm if score == "gradient_norm" else pool.scores[score]
    selector = SELECTORS[name](budget=12, **options).fit(pool)
    np.testing.assert_array_equal(selector.selected_indices_, sorted(range(N_TRAIN), key=lambda row: -values[row])[:12])
    np.testing.assert_array_equal(selector.scores_, values)


def test_grand_refuses_another_score():
    with pytest.raises(ValueError, match="score is 'loss': use one of grand, gradient_norm"):
        SELECTORS["grand"](budget=3, score="loss").fit(make_pool())


@pytest.mark.parametrize("score", ["el2n", "gradient_norm", "forgetting"])
def test_ccs_follows_its_published_algorithm(score):
    pool = make_pool()
    values = pool.require_score(score)
    selector = SELECTORS["ccs"](budget=30, score=score, n_strata=8, prune_share=0.2).fit(pool)
    kept = np.argsort(values)[: N_TRAIN - 18]
    edges = np.linspace(values[kept].min(), values[kept].max(), 9)
    sizes = np.histogram(values[kept], edges)[0]
    left, wanted = 30, np.zeros(8, dtype=int)
    for visited, stratum in enumerate(np.argsort(sizes, kind="stable")):
        wanted[stratum] = min(sizes[stratum], left // (8 - visited))
        left -= wanted[stratum]
    assert set(selector.selected_indices_) <= set(kept)
    np.testing.assert_array_equal(np.histogram(values[selector.selected_indices_], edges)[0], wanted)


def test_ccs_prefers_rare_difficulties_and_leaves_the_hardest():
    difficulty = np.random.default_rng(0).normal(5.0, 1.0, size=2000)
    selector = SELECTORS["ccs"](budget=200).fit(pool_of(scores={"el2n": difficulty}))
    chosen = difficulty[selector.selected_indices_]
    assert chosen.max() <= np.quantile(difficulty, 0.9)
    assert (chosen < np.quantile(difficulty, 0.05)).mean() > 0.15


def test_a_uniform_draw_prefers_nobody_and_differs_by_seed():
    pool, counts = make_pool(), np.zeros(N_TRAIN)
    for seed in range(300):
        counts[SELECTORS["random"](budget=30, random_state=seed).fit(pool).selected_indices_] += 1
    assert abs(counts - 100).max() < 5 * np.sqrt(300 / 3 * 2 / 3)


def test_a_stratified_draw_keeps_the_mix_of_traits():
    generator = np.random.default_rng(0)
    traits = {"history_length": generator.integers(1, 9, 400) * 1.0, "target_popularity": generator.random(400)}
    selector = SELECTORS["stratified_random"](budget=100, n_bins=4).fit(pool_of(scores=traits))
    cells = [quantile_strata(values, 4) for values in traits.values()]
    cell = cells[0] * 4 + cells[1]
    taken = np.bincount(cell[selector.selected_indices_], minlength=16)
    quota = np.bincount(cell, minlength=16) / 4
    assert abs(taken - quota).max() < 1
    assert selector.diagnostics_["cells"] == len(set(cell))


def test_quantile_strata_are_even_and_keep_ties_together():
    np.testing.assert_array_equal(quantile_strata(np.array([3.0, 1.0, 2.0, 0.0]), 2), [1, 0, 1, 0])
    np.testing.assert_array_equal(quantile_strata(np.array([1.0, 1.0, 1.0, 7.0]), 4), [1, 1, 1, 3])
    assert np.bincount(quantile_strata(np.random.default_rng(0).random(100), 10)).tolist() == [10] * 10


def test_traits_count_what_training_samples_hold():
    samples = toy_samples([[0, 1], [2], [1, 3, 0]], [[1], [0], [5]])
    splits = samples.set_column(7, samples.schema.field("split"), pa.array([0, 1, 0], pa.int8()))
    ids, traits = sample_traits(splits)
    assert ids.tolist() == [0, 2]
    assert traits["history_length"].tolist() == [2.0, 3.0]
    assert traits["target_popularity"].tolist() == [3.0, 1.0], "item 1 three times, item 5 once; validation unseen"
