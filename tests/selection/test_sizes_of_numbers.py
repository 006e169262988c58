"""Every selector on representations of every type and size."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from selection_pools import every_feature, make_pool

from coresift.selection import SELECTORS, CandidatePool, StateCoveringSelector, coverage_figure

FEATURES = every_feature()
MATRICES = [name for name in FEATURES if name.removeprefix("validation_") in ("embedding", "gradient_feature", "state")]
OPTIONS = {"goracs": {"max_solves": 20}}
SCALED = [name for name in SELECTORS if name != "d2_pruning"]


def chosen(name, features):
    return SELECTORS[name](budget=12, **OPTIONS.get(name, {})).fit(CandidatePool(**features))


def scaled(exponent, kind):
    return FEATURES | {name: (FEATURES[name].astype(np.float64) * 2.0**exponent).astype(kind) for name in MATRICES}


@pytest.mark.parametrize("name", SCALED)
@pytest.mark.parametrize(
    ("exponent", "kind"), [(100, np.float32), (-100, np.float32), (500, np.float64), (-700, np.float64)]
)
def test_the_size_of_a_representation_does_not_change_the_choice(name, exponent, kind):
    with np.errstate(over="raise", invalid="raise"):
        found, plain = chosen(name, scaled(exponent, kind)), chosen(name, FEATURES)
    assert set(found.selected_indices_) == set(plain.selected_indices_)
    assert (np.isnan(found.scores_) == np.isnan(plain.scores_)).all()
    assert not np.isinf(found.scores_).any()


@pytest.mark.parametrize("exponent", [100, -100])
def test_figures_come_out_in_the_units_of_the_representation(exponent):
    features, unit = scaled(exponent, np.float32), 2.0**exponent
    for name, figure in (("k_center", "radius"), ("herding", "distance_of_means"), ("goracs", "distance_scale")):
        plain = chosen(name, FEATURES).diagnostics_[figure]
        assert chosen(name, features).diagnostics_[figure] == pytest.approx(plain * unit, rel=1e-4)
    for name in ("knn", "moderate"):
        plain = chosen(name, FEATURES).scores_
        np.testing.assert_allclose(chosen(name, features).scores_ / unit, plain, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("exponent", [100, -100])
def test_neighbors_at_such_distances_are_all_far_or_all_near(exponent):
    """Its weights exp(-distance) are meant in the representation's own units."""
    found, difficulty = chosen("d2_pruning", scaled(exponent, np.float32)), FEATURES["scores"]["el2n"]
    if exponent > 0:
        np.testing.assert_allclose(found.scores_, difficulty)
    else:
        assert (found.scores_ > 5 * difficulty).any()


@pytest.mark.parametrize("exponent", [100, -100])
def test_clusters_of_states_and_the_map_do_not_depend_on_the_size(exponent):
    features = scaled(exponent, np.float32)
    selectors = [
        StateCoveringSelector(SELECTORS["random"](), 12).fit(CandidatePool(**part)) for part in (features, FEATURES)
    ]
    assert selectors[0].diagnostics_["state_clusters"] == selectors[1].diagnostics_["state_clusters"]
    assert coverage_figure(CandidatePool(**features), np.arange(5)).axes[0].get_xlabel().startswith("first component (")


def test_states_mixed_into_a_representation_of_another_size():
    options = {"budget": 12, "state_weight": 0.4, "max_solves": 20}
    plain = SELECTORS["goracs"](**options).fit(CandidatePool(**FEATURES))
    large = FEATURES | {name: FEATURES[name] * np.float32(2.0**90) for name in ("embedding", "validation_embedding")}
    found = SELECTORS["goracs"](**options).fit(CandidatePool(**large))
    assert found.diagnostics_["objective"] == pytest.approx(plain.diagnostics_["objective"], abs=1e-5)


@pytest.mark.parametrize("name", SELECTORS)
@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_tensors_of_half_precision_are_taken(name, kind):
    floats = {key: value for key, value in FEATURES.items() if key in (*MATRICES, "gradient_norm", "influence")}
    halves = {key: torch.as_tensor(value).to(kind).requires_grad_() for key, value in floats.items()}
    wide = {key: value.detach().float().numpy() for key, value in halves.items()}
    found, expected = chosen(name, FEATURES | halves), chosen(name, FEATURES | wide)
    np.testing.assert_array_equal(found.selected_indices_, expected.selected_indices_)


def test_integers_signed_zeros_and_foreign_layouts_are_taken():
    whole = np.arange(90 * 6).reshape(90, 6)[::-1] * 2**20
    pool = make_pool(embedding=whole, validation_embedding=np.asfortranarray(whole[:31]))
    assert pool.embedding.dtype == np.float64
    assert (np.asarray(pool.embedding) == whole).all()
    assert make_pool(embedding=np.eye(90, 6, dtype=bool)).embedding.dtype == np.float32
    assert make_pool(gradient_norm=np.full(90, -0.0)).gradient_norm.max() == 0
    for name in ("k_center", "knn", "facility_location", "goracs"):
        assert len(chosen(name, vars_of(pool)).selected_indices_) == 12
    with pytest.raises(ValueError, match="no real numbers"):
        make_pool(embedding=np.full((90, 6), 1j))


def vars_of(pool):
    return FEATURES | {name: getattr(pool, name) for name in ("embedding", "validation_embedding")}
