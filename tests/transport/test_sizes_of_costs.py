"""Costs and masses of every type and size: the right value, or one sentence."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from selection_pools import distances

from coresift.transport import BlockCost, balanced_k_medoids, greedy_medoids, solve_transport

GENERATOR = np.random.default_rng(0)
TRAIN, VALID = GENERATOR.normal(size=(40, 5)), GENERATOR.normal(size=(17, 5))
NORMS = GENERATOR.random(40)


@pytest.mark.parametrize("size", [1e-300, 1e-30, 1e30, 1e200])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_costs_do_not_depend_on_the_size_of_a_representation(size, kind):
    if kind == np.float32 and not 1e-38 < size < 1e38:
        pytest.skip("beyond the type")
    train, valid = (TRAIN * size).astype(kind), (VALID * size).astype(kind)
    cost = BlockCost(train, valid, NORMS, 0.2)
    expected = distances(train.astype(np.float64) / size, valid.astype(np.float64) / size)
    assert cost.distance_scale == pytest.approx(expected.max() * size, rel=1e-6)
    wanted = expected / expected.max() - 0.2 * NORMS[:, None] / NORMS.max()
    np.testing.assert_allclose(cost.rows(range(40), exact=True), wanted, atol=1e-12 if kind == np.float64 else 1e-6)
    np.testing.assert_allclose(cost.rows(range(40)), wanted, atol=1e-5)
    part = cost.subset([3, 1, 4], [0, 2])
    np.testing.assert_allclose(part.rows([0, 1, 2]), wanted[[3, 1, 4]][:, [0, 2]], atol=1e-5)
    assert part.distance_scale == pytest.approx(cost.distance_scale)
    chosen = greedy_medoids(cost, 6, np.empty(0, dtype=np.int64), np.ones(40, dtype=bool))
    plain = greedy_medoids(BlockCost(TRAIN, VALID, NORMS, 0.2), 6, np.empty(0, dtype=np.int64), np.ones(40, dtype=bool))
    np.testing.assert_array_equal(chosen, plain)
    objective = balanced_k_medoids(cost, 6).objective
    assert objective == pytest.approx(balanced_k_medoids(BlockCost(TRAIN, VALID, NORMS, 0.2), 6).objective, abs=1e-6)


def test_rows_that_are_all_alike_cost_nothing_whatever_their_size():
    for size in (0.0, -0.0, 1e-40, 1e30, 1e300):
        cost = BlockCost(np.full((3, 2), size), np.full((2, 2), size))
        assert cost.distance_scale == 1.0
        assert (cost.rows([0, 1, 2]) == 0).all()


@pytest.mark.parametrize(("size", "scale"), [(1e200, 1.0), (1e-200, 1.0), (1.0, 1e-300)])
def test_a_given_scale_far_from_all_distances_is_refused(size, scale):
    if size == 1.0:
        train, valid, scale = TRAIN * 1e30, VALID * 1e30, 1e-30
    else:
        train, valid = TRAIN * size, VALID * size
    with pytest.raises(ValueError, match="are beyond float32: divide the representation"):
        BlockCost(train, valid, distance_scale=scale)


def test_a_largest_distance_beyond_all_numbers_is_refused():
    cost = BlockCost(np.full((1, 1), 1.7e308), np.full((1, 1), -1.7e308))
    with pytest.raises(ValueError, match="beyond all numbers"):
        _ = cost.distance_scale


def test_tiny_norms_are_worth_as_much_as_large_ones():
    expected = BlockCost(TRAIN, VALID, NORMS, 0.5).rows(range(40), exact=True)
    for size in (1e-309, 1e300):
        np.testing.assert_allclose(
            BlockCost(TRAIN, VALID, NORMS * size, 0.5).rows(range(40), exact=True), expected, rtol=1e-6, atol=1e-6
        )


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows[::-1][::-1],
        np.asfortranarray,
        lambda rows: np.repeat(rows, 2, axis=1)[:, ::2],
        lambda rows: rows.astype(">f8"),
        lambda rows: torch.tensor(rows).t().contiguous().t(),
        lambda rows: rows.tolist(),
    ],
)
def test_the_layout_in_memory_does_not_matter(change):
    expected = BlockCost(TRAIN, VALID).rows(range(40), exact=True)
    np.testing.assert_allclose(BlockCost(change(TRAIN), change(VALID)).rows(range(40), exact=True), expected)
    backwards = BlockCost(TRAIN[::-1], VALID)
    np.testing.assert_allclose(backwards.rows(range(40), exact=True), expected[::-1])


def test_large_integers_are_measured_exactly():
    rows = np.array([[2**30], [2**30 + 1], [2**30 + 7]])
    exact = BlockCost(rows, rows[:1], distance_scale=1.0).rows([0, 1, 2], exact=True)
    assert exact.ravel().tolist() == [0, 1, 7]


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16, torch.float32])
def test_masses_normalized_in_their_own_type_are_normalized_again_in_float64(kind):
    generator = torch.Generator().manual_seed(0)
    costs = torch.rand(300, 70, generator=generator)
    source, target = (torch.rand(count, generator=generator) for count in (300, 70))
    plan = solve_transport(costs, (source / source.sum()).to(kind), (target / target.sum()).to(kind))
    rounded = [(mass / mass.sum()).to(kind).double().numpy() for mass in (source, target)]
    exact = solve_transport(costs.double().numpy(), *(mass / mass.sum() for mass in rounded))
    assert plan.value == pytest.approx(exact.value * rounded[0].sum(), rel=1e-9)
    assert np.asarray(plan.plan.sum(axis=1)).ravel() == pytest.approx(rounded[0], rel=1e-9)
    assert solve_transport(costs.to(kind)).value == pytest.approx(solve_transport(costs).value, rel=0.02)


@pytest.mark.parametrize("unit", [1e-200, 1e-12, 1e12, 1e200])
def test_the_unit_of_masses_does_not_matter(unit):
    costs = np.random.default_rng(1).random((8, 5))
    source, target = np.arange(1.0, 9.0), np.full(5, 36 / 5)
    expected = solve_transport(costs, source, target)
    found = solve_transport(costs, source * unit, target * unit)
    assert found.value == pytest.approx(expected.value * unit, rel=1e-9)


def test_masses_that_do_not_match_or_add_up_are_refused():
    for source, target in (([0.5, 0.5], [0.5, 0.50001]), ([1e308, 1e308], [1e308, 1e308])):
        with pytest.raises(ValueError, match="one positive sum"):
            solve_transport(np.ones((2, 2)), source, target)


def test_costs_too_large_to_add_up_are_told_from_infinite_ones():
    assert solve_transport(np.full((3, 3), 1e300)).value == pytest.approx(1e300)
    with pytest.raises(ValueError, match="divide them by the largest one"):
        solve_transport(np.full((3, 3), 1e308))
    with pytest.raises(ValueError, match="not finite"):
        solve_transport(np.full((3, 3), np.inf))
