"""Selectors that cover the pool itself, beside plain implementations."""

from __future__ import annotations

import numpy as np
import pytest
from selection_pools import N_TRAIN, distances, make_pool, pool_of

from coresift.selection import SELECTORS
from coresift.selection.nearness import nearest_others, nearest_rows

REPRESENTATIONS = pytest.mark.parametrize("representation", ["embedding", "state", "gradient_feature"])


def rows_of(pool, representation):
    rows = getattr(pool, representation)
    return rows, distances(rows, rows)


def clusters(*sizes_and_centers, spread=0.01, seed=0):
    generator = np.random.default_rng(seed)
    return np.concatenate([generator.normal(center, spread, size=(size, 2)) for size, center in sizes_and_centers])


def test_neighbors_equal_a_plain_search():
    pool = make_pool()
    apart = distances(pool.validation_embedding, pool.embedding)
    positions, found = nearest_rows(pool.validation_embedding, pool.embedding, 7, device="cpu")
    np.testing.assert_array_equal(positions, np.argsort(apart, axis=1)[:, :7])
    np.testing.assert_allclose(found, np.sort(apart, axis=1)[:, :7], atol=1e-5)
    others, _ = nearest_others(pool.embedding, 5, device="cpu")
    among = distances(pool.embedding, pool.embedding)
    np.fill_diagonal(among, np.inf)
    np.testing.assert_array_equal(others, np.argsort(among, axis=1)[:, :5])


def test_nobody_is_his_own_neighbor_even_among_copies():
    others, apart = nearest_others(np.zeros((6, 2), np.float32), 3, device="cpu")
    assert others.shape == apart.shape == (6, 3)
    assert not (others == np.arange(6)[:, None]).any()
    assert nearest_others(np.zeros((1, 2), np.float32), 3, device="cpu")[0].shape == (1, 0)


@REPRESENTATIONS
@pytest.mark.parametrize("decay", [None, 0.5])
def test_d2_pruning_equals_plain_message_passing(representation, decay):
    pool = make_pool()
    selector = SELECTORS["d2_pruning"](budget=25, representation=representation, n_neighbors=6, decay=decay).fit(pool)
    rows, apart = rows_of(pool, representation)
    np.fill_diagonal(apart, np.inf)
    gamma = 1 / rows.shape[1] if decay is None else decay
    neighbors = [sorted(range(N_TRAIN), key=lambda other: apart[row, other])[:6] for row in range(N_TRAIN)]
    difficulty = pool.scores["el2n"]
    values = {
        row: difficulty[row] + sum(np.exp(-apart[row, other]) * difficulty[other] for other in neighbors[row])
        for row in range(N_TRAIN)
    }
    np.testing.assert_allclose(selector.scores_, list(values.values()), atol=1e-5)
    chosen = []
    while len(chosen) < 25:
        best = max(set(values) - set(chosen), key=values.get)
        chosen.append(best)
        for other in neighbors[best]:
            values[other] -= np.exp(-gamma * apart[best, other]) * values[best]
    assert selector.selected_indices_.tolist() == chosen


def test_d2_pruning_prefers_hard_samples_but_one_of_each_kind():
    rows = clusters((10, (0, 0)), (10, (5, 0)), (10, (0, 5)))
    difficulty = np.concatenate([np.full(10, 1.0), np.full(10, 0.9), np.full(10, 0.1)])
    pool = pool_of(rows, scores={"el2n": difficulty})
    chosen = SELECTORS["d2_pruning"](budget=2, n_neighbors=9).fit(pool).selected_indices_
    assert sorted(chosen // 10) == [0, 1]


@REPRESENTATIONS
def test_moderate_equals_plain_medians_of_labeled_classes(representation):
    pool = make_pool()
    selector = SELECTORS["moderate"](budget=20, representation=representation, classes="label").fit(pool)
    rows = getattr(pool, representation).astype(np.float64)
    apart = []
    for row, label in zip(rows, pool.label, strict=True):
        members = rows[pool.label == label]
        apart.append(np.linalg.norm(row - sum(members) / len(members)))
    apart = np.array(apart)
    expected = np.argsort(abs(apart - np.median(apart)))[:20]
    assert set(selector.selected_indices_) == set(expected)


def test_moderate_prefers_neither_the_typical_nor_the_odd():
    radius = np.repeat([0.01, 1.0, 9.0], [20, 21, 20])
    angle = np.linspace(0, 2 * np.pi, 61) * 7
    rows = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    for options in ({"classes": "label"}, {"n_clusters": 1}):
        selector = SELECTORS["moderate"](budget=15, **options).fit(pool_of(rows, label=np.ones(61)))
        assert set(selector.selected_indices_) <= set(range(20, 41))


@REPRESENTATIONS
def test_k_center_equals_plain_farthest_first_and_leaves_outliers(representation):
    pool = make_pool()
    selector = SELECTORS["k_center"](budget=15, representation=representation, outlier_share=0.1, random_state=4).fit(
        pool
    )
    rows, apart = rows_of(pool, representation)
    outliers = np.argsort(-np.linalg.norm(rows - rows.mean(axis=0), axis=1))[:9]
    inner = set(range(N_TRAIN)) - set(outliers)
    chosen = [int(selector.selected_indices_[0])]
    assert chosen[0] in inner
    while len(chosen) < 15:
        chosen.append(max(inner - set(chosen), key=lambda row: min(apart[row, center] for center in chosen)))
    assert selector.selected_indices_.tolist() == chosen
    radius = max(min(apart[row, center] for center in chosen) for row in inner)
    assert selector.diagnostics_["radius"] == pytest.approx(radius, abs=1e-4)


def test_k_center_starts_at_random_and_brings_outliers_back_last():
    starts = {
        int(SELECTORS["k_center"](budget=1, random_state=seed).fit(make_pool()).selected_indices_[0])
        for seed in range(9)
    }
    assert len(starts) > 4
    selector = SELECTORS["k_center"](budget=N_TRAIN, outlier_share=0.1).fit(make_pool())
    rows = make_pool().embedding
    remoteness = np.linalg.norm(rows - rows.mean(axis=0), axis=1)
    assert selector.diagnostics_["returned_from_pruned"] == 9
    np.testing.assert_array_equal(selector.selected_indices_[-9:], np.argsort(remoteness)[-9:])


def test_k_center_prefers_one_of_every_cluster_however_small():
    rows = clusters((60, (0, 0)), (3, (5, 0)), (2, (0, 5)), (1, (90, 90)))
    for seed in range(5):
        chosen = (
            SELECTORS["k_center"](budget=3, random_state=seed, outlier_share=0.02).fit(pool_of(rows)).selected_indices_
        )
        assert sorted(np.digitize(chosen, [60, 63, 65])) == [0, 1, 2], "the outlier is left out"


@REPRESENTATIONS
def test_herding_equals_plain_weights(representation):
    pool = make_pool()
    selector = SELECTORS["herding"](budget=20, representation=representation).fit(pool)
    rows = getattr(pool, representation).astype(np.float64)
    weights, chosen = np.zeros(rows.shape[1]), [int(np.random.default_rng(0).permutation(N_TRAIN).argmin())]
    for _ in range(19):
        weights = weights + rows.mean(axis=0) - rows[chosen[-1]]
        chosen.append(max(set(range(N_TRAIN)) - set(chosen), key=lambda row: (rows[row] - rows.mean(axis=0)) @ weights))
    assert selector.selected_indices_.tolist() == chosen
    gap = np.linalg.norm(rows[chosen].mean(axis=0) - rows.mean(axis=0))
    assert selector.diagnostics_["distance_of_means"] == pytest.approx(gap, abs=1e-6)


def test_herding_does_not_depend_on_the_origin():
    rows = np.round(make_pool().embedding * 64) / 64
    plain, moved = (SELECTORS["herding"](budget=30).fit(pool_of(rows + shift)) for shift in (0.0, 256.0))
    np.testing.assert_array_equal(plain.selected_indices_, moved.selected_indices_)
    assert moved.diagnostics_["distance_of_means"] == pytest.approx(plain.diagnostics_["distance_of_means"], abs=1e-4)


def test_herding_prefers_the_mean_of_the_pool():
    pool = make_pool()
    gap = SELECTORS["herding"](budget=20).fit(pool).diagnostics_["distance_of_means"]
    random = [np.random.default_rng(seed).choice(N_TRAIN, 20, replace=False) for seed in range(20)]
    mean = pool.embedding.mean(axis=0)
    assert gap < 0.5 * np.median([np.linalg.norm(pool.embedding[rows].mean(axis=0) - mean) for rows in random])


@REPRESENTATIONS
def test_facility_location_equals_a_plain_greedy_search(representation):
    pool = make_pool()
    selector = SELECTORS["facility_location"](budget=20, representation=representation).fit(pool)
    _, apart = rows_of(pool, representation)
    similarity = apart.max() - apart
    chosen, covered = [], np.zeros(N_TRAIN)
    for _ in range(20):
        gain = {row: np.maximum(similarity[row], covered).sum() for row in set(range(N_TRAIN)) - set(chosen)}
        chosen.append(max(gain, key=gain.get))
        covered = np.maximum(covered, similarity[chosen[-1]])
    assert selector.selected_indices_.tolist() == chosen


def test_facility_location_prefers_the_largest_groups():
    rows = clusters((60, (0, 0)), (30, (5, 0)), (2, (0, 5)))
    chosen = SELECTORS["facility_location"](budget=2).fit(pool_of(rows)).selected_indices_
    assert sorted(np.digitize(chosen, [60, 90])) == [0, 1]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("d2_pruning", {"n_neighbors": 0}, "n_neighbors is 0: it must be at least 1"),
        ("d2_pruning", {"score": "influence"}, "score is 'influence': use one of el2n, loss"),
        ("moderate", {"n_clusters": 0}, "n_clusters is 0"),
        ("moderate", {"classes": "topic"}, "classes is 'topic': use one of cluster, label"),
        ("k_center", {"outlier_share": -0.1}, "outlier_share is -0.1"),
        ("herding", {"representation": "words"}, "representation is 'words'"),
        ("facility_location", {"representation": "words"}, "representation is 'words'"),
        ("ccs", {"n_strata": 0}, "n_strata is 0"),
        ("stratified_random", {"n_bins": 0}, "n_bins is 0"),
    ],
)
def test_options_out_of_range_are_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        SELECTORS[name](budget=5, **options).fit(make_pool())
