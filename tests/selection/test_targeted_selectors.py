"""Selectors that look at the validation samples, beside plain implementations."""

from __future__ import annotations

import heapq

import numpy as np
import pytest
from selection_pools import N_TRAIN, N_VALID, distances, make_pool, pool_of, unit

from coresift.selection import SELECTORS, CandidatePool
from coresift.selection.nearness import round_robin
from coresift.selection.selectors.tsds import kernel_density, spread_mass


def naive_round_robin(closeness, order, budget):
    """Targets in their order, each taking the closest candidate that is left, over and over."""
    chosen = []
    while len(chosen) < budget:
        target = order[len(chosen) % len(order)]
        chosen.append(max(set(range(closeness.shape[1])) - set(chosen), key=lambda row: closeness[target, row]))
    return chosen


def turns(seed, count=N_VALID):
    return np.random.default_rng(seed).permutation(count)


@pytest.mark.parametrize("representation", ["embedding", "state"])
@pytest.mark.parametrize("budget", [5, 40, N_TRAIN])
def test_knn_equals_a_plain_round_robin(representation, budget):
    pool = make_pool()
    selector = SELECTORS["knn"](budget=budget, representation=representation, random_state=2).fit(pool)
    closeness = -distances(getattr(pool, f"validation_{representation}"), getattr(pool, representation))
    assert selector.selected_indices_.tolist() == naive_round_robin(closeness, turns(2), budget)
    first = selector.selected_indices_[0]
    assert selector.scores_[first] == pytest.approx(closeness[turns(2)[0], first], abs=1e-5)


def test_a_used_up_list_is_filled_again():
    closeness = np.random.default_rng(0).normal(size=(3, 200)).astype(np.float32)
    closeness[:] = closeness[0]

    def rows(targets):
        import torch

        return torch.from_numpy(closeness[targets])

    chosen, _ = round_robin(rows, 3, 200, 199, 0)
    assert chosen.tolist() == np.argsort(-closeness[0])[:199].tolist()


def test_knn_prefers_the_neighbors_of_every_validation_sample():
    generator = np.random.default_rng(0)
    valid = np.array([[0, 0], [10, 0], [0, 10]])
    rows = np.concatenate([generator.uniform(3, 7, size=(80, 2)), valid + 0.1, valid - 0.1])
    assert set(SELECTORS["knn"](budget=6).fit(pool_of(rows, valid)).selected_indices_) == set(range(80, 86))


def class_means(rows, label):
    return np.stack([rows[label == one].mean(axis=0) for one in sorted(set(label))])


@pytest.mark.parametrize("subtasks", ["sample", "label"])
@pytest.mark.parametrize("aggregation", ["max", "round_robin"])
def test_less_equals_plain_inner_products(subtasks, aggregation):
    pool = make_pool()
    selector = SELECTORS["less"](budget=20, aggregation=aggregation, subtasks=subtasks, random_state=5).fit(pool)
    targets = pool.validation_gradient_feature.astype(np.float64)
    targets = targets if subtasks == "sample" else class_means(targets, pool.validation_label)
    products = targets @ pool.gradient_feature.astype(np.float64).T
    if aggregation == "max":
        np.testing.assert_allclose(selector.scores_, products.max(axis=0), atol=1e-6)
        expected = np.argsort(-products.max(axis=0))[:20].tolist()
    else:
        expected = naive_round_robin(products, turns(5, len(targets)), 20)
    assert selector.selected_indices_.tolist() == expected


def test_less_prefers_gradients_that_point_the_same_way_whatever_their_length():
    rows = np.array([[9, 1], [0.1, 0.0], [-5, 0], [0, 7]])
    pool = pool_of(rows, [[1, 0], [2, 0]], feature="gradient_feature")
    assert SELECTORS["less"](budget=4).fit(pool).selected_indices_.tolist() == [1, 0, 3, 2]


def test_less_in_turns_serves_every_validation_sample():
    rows = unit(np.array([[1, 0.01], [1, 0.02], [1, 0.03], [0.5, 1], [0.4, -1]]))
    pool = pool_of(rows, np.eye(2), feature="gradient_feature")
    assert set(SELECTORS["less"](budget=2).fit(pool).selected_indices_) == {0, 1}
    assert 3 in SELECTORS["less"](budget=2, aggregation="round_robin").fit(pool).selected_indices_


@pytest.mark.parametrize("subtasks", ["sample", "label"])
@pytest.mark.parametrize("rank", [2, 150])
def test_gist_equals_cosines_after_a_singular_value_decomposition(subtasks, rank):
    pool = make_pool()
    selector = SELECTORS["gist"](budget=20, rank=rank, subtasks=subtasks).fit(pool)
    valid = pool.validation_gradient_feature.astype(np.float64)
    basis = np.linalg.svd(valid, full_matrices=False)[2][:rank]
    targets = valid @ basis.T
    targets = targets if subtasks == "sample" else class_means(targets, pool.validation_label)
    rows = pool.gradient_feature.astype(np.float64) @ basis.T
    cosines = [max(row @ target / np.linalg.norm(row) / np.linalg.norm(target) for target in targets) for row in rows]
    np.testing.assert_allclose(selector.scores_, cosines, atol=1e-5)
    if subtasks == "label":
        assert selector.selected_indices_.tolist() == np.argsort(cosines)[::-1][:20].tolist()


def test_gist_selects_where_no_validation_gradient_points_anywhere():
    rows = np.random.default_rng(0).standard_normal((8, 4))
    pool = CandidatePool(sample_id=np.arange(8), gradient_feature=rows, validation_gradient_feature=np.zeros((3, 4)))
    assert len(set(SELECTORS["gist"](budget=3).fit(pool).selected_indices_)) == 3


def test_gist_prefers_alignment_within_the_subspace_where_less_sees_the_rest():
    valid = np.array([[1, 0.1, 0], [1, -0.1, 0], [1, 0.05, 0]])
    rows = np.array([[1, 0, 4.0], [1, 1.5, 0]])
    pool = pool_of(unit(rows), unit(valid), feature="gradient_feature")
    assert SELECTORS["gist"](budget=1, rank=2).fit(pool).selected_indices_.tolist() == [0]
    assert SELECTORS["less"](budget=1).fit(pool).selected_indices_.tolist() == [1]


def naive_mass(apart, densities, alpha):
    """The mass by raising the level event by event, with a heap, as published."""
    n_targets, width = apart.shape
    last, price = [0] * n_targets, np.zeros(n_targets)
    events = [(1 / densities[target][0], 0, target) for target in range(n_targets)]
    heapq.heapify(events)
    moved = [apart[target][0] / densities[target][0] for target in range(n_targets)]
    level = 1.0
    while events:
        level, place, target = heapq.heappop(events)
        price[target] = apart[target][place + 1] * level - moved[target]
        if alpha * price.sum() >= (1 - alpha) * n_targets:
            break
        last[target] = place
        if place < width - 2:
            portion = 1 / densities[target][place + 1]
            moved[target] += apart[target][place + 1] * portion
            heapq.heappush(events, (level + portion, place + 1, target))
    mass = np.zeros(apart.shape)
    for target in range(n_targets):
        for place in range(last[target] + 1):
            mass[target, place] = min(1 / level / densities[target][place], 1 - mass[target].sum())
        mass[target, last[target] + 1] += 1 - mass[target].sum()
    return mass


@pytest.mark.parametrize("alpha", [0.0, 0.2, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("density", ["uniform", "kernel"])
def test_tsds_mass_equals_the_published_algorithm(alpha, density):
    pool = make_pool()
    options = {"density": density, "alignment_weight": alpha, "max_neighbors": 20, "bandwidth": 0.9}
    selector = SELECTORS["tsds"](budget=20, **options).fit(pool)
    scale = np.linalg.norm(pool.embedding, axis=1).mean()
    apart = distances(pool.validation_embedding, pool.embedding) / scale
    order = np.argsort(apart, axis=1)[:, :20]
    densities = np.ones(N_TRAIN)
    if density == "kernel":
        reached = sorted(set(order.ravel()))
        among = distances(pool.embedding[reached], pool.embedding[reached]) / scale / 0.9
        densities[reached] = np.maximum(1 - among**2, 0).sum(axis=1)
        assert densities.max() > 1.2
    mass = naive_mass(np.take_along_axis(apart, order, axis=1), densities[order], alpha)
    expected = np.zeros(N_TRAIN)
    np.add.at(expected, order.ravel(), mass.ravel() / N_VALID)
    np.testing.assert_allclose(selector.scores_, expected, atol=1e-5)
    assert selector.scores_.sum() == pytest.approx(1.0)


def test_the_extremes_of_tsds_are_the_nearest_and_all_neighbors():
    apart = np.sort(np.random.default_rng(0).random((5, 4)), axis=1)
    np.testing.assert_allclose(spread_mass(apart, np.ones((5, 4)), 1.0), np.eye(4)[[0] * 5])
    np.testing.assert_allclose(spread_mass(apart, np.ones((5, 4)), 0.0)[:, :3], np.full((5, 3), 1 / 3))
    np.testing.assert_allclose(spread_mass(apart[:, :1], np.ones((5, 1)), 0.5), np.ones((5, 1)))


def test_tsds_draws_follow_the_mass_and_zeros_come_last():
    pool = make_pool()
    options = {"alignment_weight": 0.9, "max_neighbors": 10}
    first = np.zeros(N_TRAIN)
    for seed in range(100):
        first[SELECTORS["tsds"](budget=1, random_state=seed, **options).fit(pool).selected_indices_[0]] += 1
    selector = SELECTORS["tsds"](budget=N_TRAIN, **options).fit(pool)
    expected = 100 * selector.scores_
    assert abs(first - expected).max() < 5 * np.sqrt(expected.max())
    with_mass = selector.diagnostics_["candidates_with_mass"]
    assert (selector.scores_[selector.selected_indices_[:with_mass]] > 0).all()
    assert selector.diagnostics_["drawn_without_mass"] == N_TRAIN - with_mass > 0


def test_tsds_lets_near_duplicates_share_one_portion_only_with_a_kernel():
    rows = np.concatenate([np.full((20, 2), (1.0, 1.0)), [[1.5, 1.0], [1.0, 1.5], [9.0, 9.0]]])
    pool = pool_of(rows, [[1.1, 1.1]] * 3)
    shares = {
        density: SELECTORS["tsds"](budget=5, density=density, alignment_weight=0.3, max_neighbors=22).fit(pool).scores_
        for density in ("uniform", "kernel")
    }
    assert shares["kernel"][:20].sum() < 0.6
    assert shares["uniform"][:20].sum() > 0.8
    assert shares["kernel"][22] == 0
    np.testing.assert_allclose(kernel_density(rows.astype(np.float32), 0.1, device="cpu"), [20.0] * 20 + [1.0] * 3)


@pytest.mark.parametrize("gradient_weight", [0.0, 0.1, 0.3])
def test_goracs_greedy_equals_a_plain_greedy_search(gradient_weight):
    pool = make_pool()
    selector = SELECTORS["goracs_greedy"](budget=12, gradient_weight=gradient_weight).fit(pool)
    apart = distances(pool.embedding, pool.validation_embedding)
    cost = apart / apart.max() - gradient_weight * (pool.gradient_norm / pool.gradient_norm.max())[:, None]
    chosen, nearest = [], np.ones(N_VALID)
    for _ in range(12):
        value = {row: np.minimum(nearest, cost[row]).sum() for row in set(range(N_TRAIN)) - set(chosen)}
        chosen.append(min(value, key=value.get))
        nearest = np.minimum(nearest, cost[chosen[-1]])
    assert selector.selected_indices_.tolist() == chosen
    owner = cost[chosen].argmin(axis=0)
    np.testing.assert_allclose(selector.weights_, np.bincount(owner, minlength=12) * 12 / N_VALID)


def test_goracs_greedy_prefers_nearness_to_validation_and_then_large_gradients():
    rows = [[0, 0], [0, 0], [5, 5], [9, 9]]
    pool = pool_of(rows, [[0, 0], [5, 5]], gradient_norm=np.array([0.1, 1.0, 0.5, 0.5]))
    assert set(SELECTORS["goracs_greedy"](budget=2).fit(pool).selected_indices_) == {1, 2}


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("knn", {"representation": "words"}, "representation is 'words'"),
        ("less", {"aggregation": "sum"}, "aggregation is 'sum': use one of max, round_robin"),
        ("less", {"subtasks": "user"}, "subtasks is 'user': use one of sample, label"),
        ("gist", {"rank": 0}, "rank is 0: it must be at least 1"),
        ("tsds", {"density": "none"}, "density is 'none': use one of uniform, kernel"),
        ("tsds", {"alignment_weight": 2.0}, "alignment_weight is 2.0: it must be at least 0 and at most 1"),
        ("tsds", {"bandwidth": 0.0}, "bandwidth is 0.0: it must be above 0"),
        ("tsds", {"max_neighbors": 0}, "max_neighbors is 0"),
        ("goracs_greedy", {"gradient_weight": -1.0}, "gradient_weight is -1.0"),
    ],
)
def test_options_out_of_range_are_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        SELECTORS[name](budget=5, **options).fit(make_pool())
