from __future__ import annotations

import numpy as np
import pytest
from selection_pools import N_TRAIN, N_VALID, make_pool

from coresift.selection import SELECTORS, GoracsSelector, MissingInputError, choose, coverage_figure, descent_figure


def test_goracs_weights_are_the_share_of_nearest_validation_samples():
    pool = make_pool()
    selector = GoracsSelector(budget=12, gradient_weight=0.0).fit(pool)
    distances = np.linalg.norm(pool.embedding[selector.selected_indices_][:, None] - pool.validation_embedding, axis=2)
    counts = np.bincount(distances.argmin(axis=0), minlength=12)
    np.testing.assert_allclose(selector.weights_, counts * 12 / N_VALID)


@pytest.mark.parametrize("by_label", [False, True])
def test_goracs_scores_selected_candidates_higher_than_all_others(by_label):
    selector = GoracsSelector(budget=12, by_label=by_label).fit(make_pool())
    selected = np.isin(np.arange(N_TRAIN), selector.selected_indices_)
    assert selector.scores_[selected].mean() > selector.scores_[~selected].mean()
    best = np.argsort(-selector.scores_)[:12]
    assert selected[best].sum() >= 6


def test_goracs_works_in_another_representation_and_names_what_is_missing():
    by_state = GoracsSelector(budget=12, representation="state").fit(make_pool())
    by_text = GoracsSelector(budget=12).fit(make_pool())
    assert set(by_state.selected_indices_) != set(by_text.selected_indices_)
    with pytest.raises(MissingInputError, match="no gradient_feature: run the attribution pipeline"):
        GoracsSelector(budget=5, representation="gradient_feature").fit(make_pool(gradient_feature=None))
    with pytest.raises(MissingInputError, match="no state: run the surrogate pipeline"):
        GoracsSelector(budget=5, representation="state").fit(make_pool(state=None))
    with pytest.raises(ValueError, match="representation is 'words'"):
        GoracsSelector(budget=5, representation="words").fit(make_pool())


def test_goracs_needs_no_gradient_norms_where_they_weigh_nothing():
    selector = GoracsSelector(budget=5, gradient_weight=0.0).fit(make_pool(gradient_norm=None))
    assert len(selector.selected_indices_) == 5


def test_goracs_by_label_has_the_class_shares_of_validation():
    pool = make_pool()
    selector = GoracsSelector(budget=31, by_label=True, fixed=[4, 5], exclude=[6]).fit(pool)
    chosen = selector.selected_indices_
    np.testing.assert_array_equal(np.bincount(pool.label[chosen]), np.bincount(pool.validation_label))
    assert {4, 5} <= set(chosen)
    assert 6 not in chosen
    assert selector.weights_.mean() == pytest.approx(1.0)
    assert selector.diagnostics_["lower_bound"] <= selector.diagnostics_["objective"]


def test_weights_have_mean_1_where_a_class_gets_no_budget():
    pool = make_pool(validation_label=np.repeat([0, 1, 2], [28, 2, 1]))
    selector = GoracsSelector(budget=2, by_label=True).fit(pool)
    assert selector.diagnostics_["class_budgets"] == [2]
    assert selector.weights_.mean() == pytest.approx(1.0)


def test_a_fixed_row_is_never_dropped():
    fixed = np.flatnonzero(make_pool().label != 2)[:3]
    for by_label in (False, True):
        selector = GoracsSelector(budget=3, by_label=by_label, fixed=fixed).fit(
            make_pool(validation_label=np.where(make_pool().validation_label == 2, 0, make_pool().validation_label))
        )
        assert set(selector.selected_indices_) == set(fixed)


@pytest.mark.parametrize("by_label", [False, True])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fixed": [1000, -1]}, r"fixed names rows outside 0\.\.89"),
        ({"exclude": [90]}, r"exclude names rows outside 0\.\.89"),
        ({"exclude": [4, 4]}, "exclude names a row twice"),
        ({"fixed": [4], "exclude": [4]}, "fixed and exclude share rows"),
        ({"fixed": [4, 5, 6]}, "3 fixed rows > budget 2"),
    ],
)
def test_rows_that_cannot_be_kept_or_left_out_are_refused(by_label, options, message):
    with pytest.raises(ValueError, match=message):
        GoracsSelector(budget=2, by_label=by_label, **options).fit(make_pool())


def test_a_fixed_row_of_a_class_without_validation_samples_is_refused():
    pool = make_pool(validation_label=np.zeros(N_VALID))
    row = int(np.flatnonzero(pool.label == 1)[0])
    with pytest.raises(ValueError, match=rf"fixed names rows \[{row}\], whose labels no validation sample has"):
        GoracsSelector(budget=5, by_label=True, fixed=[row]).fit(pool)


@pytest.mark.parametrize("kind", [np.int8, np.float16])
def test_small_number_types_neither_truncate_nor_overflow(kind):
    rows = np.random.default_rng(0).integers(-100, 101, size=(N_TRAIN, 6))
    exact, small = (make_pool(embedding=rows.astype(dtype)) for dtype in (np.float32, kind))
    assert small.embedding.dtype == np.float32
    for name in ("herding", "moderate", "k_center"):
        chosen = [SELECTORS[name](budget=20).fit(pool).selected_indices_ for pool in (exact, small)]
        np.testing.assert_array_equal(*chosen)


def test_by_label_with_one_class_is_the_plain_selection():
    ones = {"label": np.ones(N_TRAIN), "validation_label": np.ones(N_VALID)}
    plain, by_label = (GoracsSelector(budget=9, by_label=flag).fit(make_pool(**ones)) for flag in (False, True))
    np.testing.assert_array_equal(plain.selected_indices_, by_label.selected_indices_)


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
