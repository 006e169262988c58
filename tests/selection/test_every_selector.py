"""What every selector promises, whatever it looks at."""

from __future__ import annotations

import numpy as np
import pytest
from selection_pools import N_TRAIN, every_feature, make_pool
from sklearn.base import clone

from coresift.options import declared_options
from coresift.selection import SELECTORS, CandidatePool, MissingInputError

NEEDS = {name: set(selector().reads) for name, selector in SELECTORS.items()}
"""The inputs of every selector with its default options."""
EVERY_SELECTOR = pytest.mark.parametrize("name", SELECTORS)
EVERY_INPUT = pytest.mark.parametrize(
    ("name", "needed"), [(name, one) for name in NEEDS for one in sorted(NEEDS[name])]
)


def without(features, name):
    scores = {one: values for one, values in features["scores"].items() if one != name}
    return {one: values for one, values in features.items() if one != name} | {"scores": scores}


def with_nan(features, name):
    holder = features["scores"] if name in features["scores"] else features
    values = np.array(holder[name], dtype=np.float64)
    values[3] = np.nan
    return (
        features | {"scores": features["scores"] | {name: values}}
        if holder is not features
        else features | {name: values}
    )


@EVERY_SELECTOR
@pytest.mark.parametrize("budget", [1, 13, N_TRAIN])
def test_the_budget_is_exact_and_a_clone_chooses_the_same(name, budget):
    pool = make_pool()
    selector = SELECTORS[name](budget=budget, random_state=3).fit(pool)
    chosen = selector.selected_indices_
    assert len(np.unique(chosen)) == len(chosen) == budget
    assert chosen.dtype == np.int64
    assert selector.scores_.shape == (N_TRAIN,)
    assert selector.weights_.shape == (budget,)
    assert selector.weights_.mean() == pytest.approx(1.0)
    assert isinstance(selector.diagnostics_["prefix"], bool)
    again = clone(selector).fit(make_pool())
    np.testing.assert_array_equal(again.selected_indices_, chosen)
    np.testing.assert_array_equal(again.weights_, selector.weights_)
    np.testing.assert_array_equal(again.scores_, selector.scores_)
    assert again.get_params() == selector.get_params()


@EVERY_SELECTOR
def test_defaults_suffice_and_a_budget_out_of_range_is_refused(name):
    with pytest.raises(ValueError, match=r"budget 1024 > 90 candidates: lower selection\.budget"):
        SELECTORS[name]().fit(make_pool())
    with pytest.raises(ValueError, match=r"budget 0 < 1: raise selection\.budget"):
        SELECTORS[name](budget=0).fit(make_pool())


@EVERY_SELECTOR
@pytest.mark.parametrize("budget", [30, N_TRAIN])
def test_a_prefix_is_valid_where_the_selector_says_so(name, budget):
    large = SELECTORS[name](budget=budget).fit(make_pool())
    if large.diagnostics_["prefix"]:
        small = SELECTORS[name](budget=10).fit(make_pool())
        np.testing.assert_array_equal(large.selected_indices_[:10], small.selected_indices_)


@EVERY_INPUT
def test_a_missing_input_names_the_pipeline_that_makes_it(name, needed):
    pool = CandidatePool(**without(every_feature(), needed))
    with pytest.raises(MissingInputError, match=rf"the pool has no (score ')?{needed}'?: run the \w+ pipeline, which"):
        SELECTORS[name](budget=5).fit(pool)


@EVERY_INPUT
def test_no_selector_gets_to_see_a_value_that_is_not_finite(name, needed):
    with pytest.raises(ValueError, match=rf"{needed}.* holds values that are not finite"):
        SELECTORS[name](budget=5).fit(CandidatePool(**with_nan(every_feature(), needed)))


def only(inputs):
    features = every_feature()
    for one in [*features["scores"], *features]:
        if one not in {*inputs, "sample_id", "scores"}:
            features = without(features, one)
    return CandidatePool(**features)


@EVERY_SELECTOR
def test_no_selector_needs_more_than_its_inputs(name):
    assert len(SELECTORS[name](budget=7).fit(only(NEEDS[name])).selected_indices_) == 7


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("goracs", {"representation": "state"}),
        ("goracs", {"gradient_weight": 0.0, "gradient_term": "alignment"}),
        ("goracs", {"gradient_term": "alignment"}),
        ("goracs", {"state_weight": 0.5}),
        ("goracs", {"by_label": True}),
        ("goracs_greedy", {"gradient_weight": 0.0, "representation": "gradient_feature"}),
        ("grand", {"score": "gradient_norm"}),
        ("ccs", {"score": "gradient_norm"}),
        ("d2_pruning", {"score": "forgetting", "representation": "state"}),
        ("moderate", {"classes": "label"}),
        ("knn", {"representation": "gradient_feature"}),
        ("less", {"subtasks": "label"}),
        ("gist", {"subtasks": "label"}),
    ],
)
def test_what_a_selector_reads_follows_its_options(name, options):
    selector = SELECTORS[name](budget=7, **options)
    assert len(selector.fit(only(selector.reads)).selected_indices_) == 7
    for one in selector.reads:
        with pytest.raises(ValueError, match=one.removeprefix("validation_")):
            selector.fit(only({*selector.reads} - {one}))


@EVERY_SELECTOR
def test_every_option_is_declared_with_its_meaning(name):
    assert not [one.name for one in declared_options(SELECTORS[name]).values() if not one.meaning]


@EVERY_SELECTOR
@pytest.mark.parametrize("budget", [5, N_TRAIN])
def test_candidates_that_are_all_alike_are_chosen_once_each(name, budget):
    features = every_feature()
    zeros = {one: np.zeros(N_TRAIN) for one in features.pop("scores")}
    alike = {one: np.repeat(values[:1], len(values), axis=0) for one, values in features.items()}
    alike |= {"sample_id": features["sample_id"], "scores": zeros}
    selectors = [SELECTORS[name](budget=budget, random_state=1).fit(CandidatePool(**alike)) for _ in range(2)]
    assert len(np.unique(selectors[0].selected_indices_)) == budget
    np.testing.assert_array_equal(selectors[0].selected_indices_, selectors[1].selected_indices_)


@EVERY_SELECTOR
def test_duplicates_are_chosen_once_each(name):
    features = every_feature()
    half = N_TRAIN // 2

    def doubled(values):
        return np.concatenate([np.asarray(values)[:half]] * 2) if len(values) == N_TRAIN else values

    twice = {one: doubled(values) for one, values in features.items() if one != "scores"}
    twice |= {"sample_id": features["sample_id"], "scores": {one: doubled(v) for one, v in features["scores"].items()}}
    chosen = SELECTORS[name](budget=half + 20).fit(CandidatePool(**twice)).selected_indices_
    assert len(np.unique(chosen)) == half + 20


@pytest.mark.parametrize("name", ["grand", "el2n", "target_loss_drop"])
def test_equal_scores_fall_by_the_seed_and_not_by_position(name):
    scores = {one: np.zeros(N_TRAIN) for one in ("grand", "el2n", "loss_drop")}
    sets = [
        set(SELECTORS[name](budget=10, random_state=seed).fit(make_pool(scores=scores)).selected_indices_)
        for seed in (0, 1)
    ]
    assert sets[0] != sets[1]
    assert all(max(one) > 20 for one in sets)


@EVERY_SELECTOR
def test_one_candidate_and_one_validation_sample_suffice(name):
    features = every_feature()
    one = {key: values[:1] for key, values in features.items() if key != "scores"}
    pool = CandidatePool(**one, scores={key: values[:1] for key, values in features["scores"].items()})
    assert SELECTORS[name](budget=1).fit(pool).selected_indices_.tolist() == [0]
