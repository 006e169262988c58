from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone

from coresift.selection import (
    SELECTORS,
    CandidatePool,
    DealrecSelector,
    GoracsSelector,
    MissingInputError,
    RandomSelector,
    choose,
    coverage_figure,
    descent_figure,
)

N_TRAIN, N_VALID = 90, 31


def make_pool(seed=0, **changes):
    generator = np.random.default_rng(seed)
    features = {
        "sample_id": np.arange(N_TRAIN) * 3,
        "embedding": generator.normal(size=(N_TRAIN, 6)).astype(np.float32),
        "validation_embedding": generator.normal(size=(N_VALID, 6)).astype(np.float32),
        "state": generator.normal(size=(N_TRAIN, 4)).astype(np.float32),
        "validation_state": generator.normal(size=(N_VALID, 4)).astype(np.float32),
        "gradient_norm": generator.random(N_TRAIN),
        "influence": generator.normal(size=N_TRAIN),
        "label": generator.integers(0, 3, N_TRAIN),
        "validation_label": generator.integers(0, 3, N_VALID),
    }
    return CandidatePool(**(features | changes))


@pytest.mark.parametrize("name", SELECTORS)
@pytest.mark.parametrize("budget", [1, 13, N_TRAIN])
def test_every_selector_keeps_the_contract(name, budget):
    pool = make_pool()
    selector = SELECTORS[name](budget=budget, random_state=3).fit(pool)
    chosen = selector.selected_indices_
    assert len(np.unique(chosen)) == len(chosen) == budget
    assert selector.scores_.shape == (N_TRAIN,)
    assert selector.weights_.shape == (budget,)
    assert selector.weights_.mean() == pytest.approx(1.0)
    assert isinstance(selector.diagnostics_["prefix"], bool)
    again = clone(selector).fit(pool)
    np.testing.assert_array_equal(again.selected_indices_, chosen)
    assert again.get_params() == selector.get_params()


@pytest.mark.parametrize("name", SELECTORS)
def test_defaults_suffice_and_a_budget_above_the_pool_is_refused(name):
    selector = SELECTORS[name]()
    with pytest.raises(ValueError, match=r"budget 1024 > 90 candidates: lower selection\.budget"):
        selector.fit(make_pool())
    with pytest.raises(ValueError, match="budget 0 < 1"):
        SELECTORS[name](budget=0).fit(make_pool())


@pytest.mark.parametrize("name", SELECTORS)
def test_a_prefix_is_valid_where_the_selector_says_so(name):
    pool = make_pool()
    large = SELECTORS[name](budget=30).fit(pool)
    if large.diagnostics_["prefix"]:
        small = SELECTORS[name](budget=10).fit(pool)
        np.testing.assert_array_equal(large.selected_indices_[:10], small.selected_indices_)


def test_goracs_weights_are_the_share_of_nearest_validation_samples():
    pool = make_pool()
    selector = GoracsSelector(budget=12, gradient_weight=0.0).fit(pool)
    distances = np.linalg.norm(pool.embedding[selector.selected_indices_][:, None] - pool.validation_embedding, axis=2)
    counts = np.bincount(distances.argmin(axis=0), minlength=12)
    np.testing.assert_allclose(selector.weights_, counts * 12 / N_VALID)


def test_goracs_works_in_another_representation_and_names_what_is_missing():
    by_state = GoracsSelector(budget=12, representation="state").fit(make_pool())
    by_text = GoracsSelector(budget=12).fit(make_pool())
    assert set(by_state.selected_indices_) != set(by_text.selected_indices_)
    with pytest.raises(MissingInputError, match="no gradient_feature: run the attribution pipeline"):
        GoracsSelector(budget=5, representation="gradient_feature").fit(make_pool())
    with pytest.raises(MissingInputError, match="no state: run the surrogate pipeline"):
        GoracsSelector(budget=5, representation="state").fit(make_pool(state=None))
    with pytest.raises(ValueError, match="representation is 'words'"):
        GoracsSelector(budget=5, representation="words").fit(make_pool())


def test_goracs_needs_no_gradient_norms_where_they_weigh_nothing():
    GoracsSelector(budget=5, gradient_weight=0.0).fit(make_pool(gradient_norm=None))


def test_goracs_by_label_has_the_class_shares_of_validation():
    pool = make_pool()
    selector = GoracsSelector(budget=31, by_label=True, fixed=[4, 5], exclude=[6]).fit(pool)
    chosen = selector.selected_indices_
    np.testing.assert_array_equal(np.bincount(pool.label[chosen]), np.bincount(pool.validation_label))
    assert {4, 5} <= set(chosen)
    assert 6 not in chosen
    assert selector.weights_.mean() == pytest.approx(1.0)
    assert selector.diagnostics_["lower_bound"] <= selector.diagnostics_["objective"]


def test_by_label_with_one_class_is_the_plain_selection():
    ones = {"label": np.ones(N_TRAIN), "validation_label": np.ones(N_VALID)}
    plain, by_label = (GoracsSelector(budget=9, by_label=flag).fit(make_pool(**ones)) for flag in (False, True))
    np.testing.assert_array_equal(plain.selected_indices_, by_label.selected_indices_)


def test_dealrec_as_released_follows_a_plain_implementation():
    pool = make_pool()
    settings = {"normalization": "minmax", "strata": "width", "n_strata": 5, "prune_share": 0.1, "effort_weight": 0.3}
    selector = DealrecSelector(budget=20, **settings).fit(pool)
    scaled = [(x - x.min()) / (x.max() - x.min()) for x in (pool.influence, pool.gradient_norm)]
    scores = scaled[0] + 0.3 * scaled[1]
    np.testing.assert_allclose(selector.scores_, scores)
    kept = np.argsort(-scores)[9:]
    assert set(selector.selected_indices_) <= set(kept)
    edges = np.linspace(scores[kept].min(), scores[kept].max(), 6)
    sizes = np.histogram(scores[kept], edges)[0]
    taken = np.histogram(scores[selector.selected_indices_], edges)[0]
    left, expected = 20, np.zeros(5, dtype=int)
    for visited, stratum in enumerate(np.argsort(sizes, kind="stable")):
        expected[stratum] = min(sizes[stratum], left // (5 - visited))
        left -= expected[stratum]
    np.testing.assert_array_equal(taken, expected)


def test_dealrec_returns_pruned_samples_where_the_rest_does_not_suffice():
    selector = DealrecSelector(budget=88, prune_share=0.5).fit(make_pool())
    assert selector.diagnostics_["pruned"] == 2
    assert selector.diagnostics_["returned_from_pruned"] == 43
    missing = np.setdiff1d(np.arange(N_TRAIN), selector.selected_indices_)
    assert selector.scores_[missing].min() >= np.delete(selector.scores_, missing).max()


def test_dealrec_survives_scores_that_are_all_equal():
    pool = make_pool(influence=np.zeros(N_TRAIN), gradient_norm=np.zeros(N_TRAIN))
    for normalization in ("rank", "minmax"):
        assert len(DealrecSelector(budget=40, normalization=normalization).fit(pool).selected_indices_) == 40


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"normalization": "log"}, "normalization is 'log'"),
        ({"strata": "deep"}, "strata is 'deep'"),
        ({"n_strata": 0}, "n_strata is 0"),
        ({"prune_share": 1.0}, "prune_share is 1.0"),
    ],
)
def test_dealrec_refuses_options_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        DealrecSelector(budget=5, **options).fit(make_pool())


def test_random_draws_differ_by_seed():
    sets = [set(RandomSelector(budget=10, random_state=seed).fit(make_pool()).selected_indices_) for seed in (0, 1)]
    assert sets[0] != sets[1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sample_id": np.zeros(N_TRAIN, dtype=int)}, "holds an id twice"),
        ({"sample_id": np.arange(5)}, "embedding has 90 rows for 5 sample ids"),
        ({"embedding": np.full((N_TRAIN, 6), np.nan)}, "embedding holds values that are not finite"),
        ({"validation_embedding": np.zeros((N_VALID, 2))}, "embedding has 6 columns and validation_embedding 2"),
        ({"validation_state": np.zeros((5, 4))}, "validation_state has 5 rows where other validation features have 31"),
        ({"gradient_norm": -np.ones(N_TRAIN)}, "a norm cannot be negative"),
        ({"influence": np.full(N_TRAIN, np.inf)}, "influence holds values that are not finite"),
        ({"influence": np.zeros(3)}, "influence has shape"),
        ({"label": [1]}, "label needs one value per sample id"),
        ({"scores": {"loss": [1.0]}}, r"scores\['loss'\] has shape"),
    ],
)
def test_the_pool_refuses_features_that_do_not_fit(changes, message):
    with pytest.raises(ValueError, match=message):
        make_pool(**changes)


def test_a_method_without_a_descent_gets_a_figure_that_says_so():
    pool = make_pool(embedding=None)
    chosen = choose(pool, "random", budget=5)
    texts = [text.get_text() for text in descent_figure(chosen.report).axes[0].texts]
    assert texts == ["This method chooses in one step: there is no descent to show."]
    assert "no embeddings" in coverage_figure(pool, chosen.positions).axes[0].texts[0].get_text()


def test_an_unknown_method_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"unknown selection\.method 'best': choose one of goracs, dealrec"):
        choose(make_pool(), "best", budget=5)
