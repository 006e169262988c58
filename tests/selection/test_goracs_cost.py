from __future__ import annotations

import numpy as np
import pytest

from coresift.selection import CandidatePool, GoracsSelector, MissingInputError
from coresift.selection.selectors.goracs_cost import goracs_cost, gradient_alignment, mixed_representation

N_TRAIN, N_VALID = 70, 25


def unit_rows(generator, size):
    rows = generator.normal(np.array([2.0, 0.0, 0.0, 0.0, 0.0]), size=(size, 5))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def make_pool(**changes):
    generator = np.random.default_rng(0)
    features = {
        "sample_id": np.arange(N_TRAIN),
        "embedding": 7 * generator.normal(size=(N_TRAIN, 6)).astype(np.float32),
        "validation_embedding": 7 * generator.normal(size=(N_VALID, 6)).astype(np.float32),
        "state": generator.normal(size=(N_TRAIN, 4)).astype(np.float32),
        "validation_state": generator.normal(size=(N_VALID, 4)).astype(np.float32),
        "gradient_feature": unit_rows(generator, N_TRAIN),
        "validation_gradient_feature": unit_rows(generator, N_VALID),
        "gradient_norm": generator.random(N_TRAIN),
    }
    return CandidatePool(**(features | changes))


def distances(train, valid):
    return np.sqrt(((train[:, None].astype(np.float64) - valid[None].astype(np.float64)) ** 2).sum(axis=2))


@pytest.mark.parametrize("state_weight", [0.25, 1.0])
def test_mixed_squared_distances_are_the_weighted_sum_of_both(state_weight):
    pool = make_pool()
    mixed = distances(*mixed_representation(pool, "embedding", state_weight))
    text, state = (
        distances(pool.embedding, pool.validation_embedding),
        distances(pool.state, pool.validation_state),
    )
    expected = (1 - state_weight) * (text / text.max()) ** 2 + state_weight * (state / state.max()) ** 2
    np.testing.assert_allclose(mixed**2, expected, atol=1e-6)


def test_states_alone_give_the_cost_of_states():
    pool = make_pool()
    mixed, plain = goracs_cost(pool, state_weight=1.0), goracs_cost(pool, representation="state")
    np.testing.assert_allclose(mixed.rows(np.arange(9), exact=True), plain.rows(np.arange(9), exact=True), atol=1e-6)


def test_without_a_share_the_representation_is_not_touched():
    pool = make_pool(state=None)
    assert mixed_representation(pool, "embedding", 0.0)[0] is pool.embedding


def test_alignment_is_the_cosine_with_the_mean_validation_gradient_above_the_smallest():
    pool = make_pool()
    mean = pool.validation_gradient_feature.astype(np.float64).mean(axis=0)
    cosine = pool.gradient_feature.astype(np.float64) @ mean / np.linalg.norm(mean)
    alignment = gradient_alignment(pool)
    np.testing.assert_allclose(alignment, cosine - cosine.min(), atol=1e-6)
    assert alignment.min() == 0.0


def test_a_larger_weight_chooses_better_aligned_samples_than_the_norm_does():
    pool = make_pool()
    alignment = gradient_alignment(pool)
    chosen = [
        GoracsSelector(budget=8, gradient_weight=weight, gradient_term="alignment").fit(pool).selected_indices_
        for weight in (0.0, 2.0)
    ]
    by_norm = GoracsSelector(budget=8, gradient_weight=2.0).fit(pool).selected_indices_
    assert alignment[chosen[1]].mean() > max(alignment[chosen[0]].mean(), alignment[by_norm].mean())


def test_validation_gradients_that_cancel_out_reward_nothing():
    features = np.array([[1.0, 0.0], [-1.0, 0.0]], dtype=np.float32)
    generator = np.random.default_rng(1)
    pool = make_pool(
        gradient_feature=generator.normal(size=(N_TRAIN, 2)).astype(np.float32),
        validation_gradient_feature=np.tile(features, (N_VALID // 2, 1)),
        validation_embedding=generator.normal(size=(2 * (N_VALID // 2), 6)),
        validation_state=None,
    )
    np.testing.assert_array_equal(gradient_alignment(pool), np.zeros(N_TRAIN))


def test_extensions_name_the_feature_that_is_missing():
    with pytest.raises(MissingInputError, match="no gradient_feature"):
        goracs_cost(make_pool(gradient_feature=None), gradient_term="alignment", gradient_weight=0.1)
    with pytest.raises(MissingInputError, match="no state: run the surrogate pipeline"):
        goracs_cost(make_pool(state=None), state_weight=0.5)
    goracs_cost(make_pool(gradient_feature=None, gradient_norm=None), gradient_term="alignment")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gradient_term": "size"}, "gradient_term is 'size': use one of norm, alignment"),
        ({"state_weight": 1.5}, "state_weight is 1.5: it must be at least 0 and at most 1"),
        ({"state_weight": 0.5, "representation": "state"}, "state_weight mixes states into another representation"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        GoracsSelector(budget=5, **options).fit(make_pool())
