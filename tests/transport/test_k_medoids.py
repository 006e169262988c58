from __future__ import annotations

from itertools import combinations

import numpy as np
import ot
import pytest
import torch

from coresift.transport import BlockCost, balanced_k_medoids, solve_transport

METHODS = ["certified", "itra", "itra_released"]


def instance(n_train, n_valid, seed=0, gradient_weight=0.2, dimensions=3, **options):
    generator = np.random.default_rng(seed)
    train, valid = generator.normal(size=(n_train, dimensions)), generator.normal(size=(n_valid, dimensions))
    norms = generator.random(n_train)
    return BlockCost(train.astype(np.float32), valid.astype(np.float32), norms, gradient_weight, **options)


def transport_cost(cost, indices):
    masses = np.full(len(indices), 1 / len(indices)), np.full(cost.n_targets, 1 / cost.n_targets)
    return ot.emd2(*masses, cost.rows(indices, exact=True), numItermax=10**7)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("n_train", "n_valid", "budget"),
    [(12, 9, 1), (12, 9, 4), (12, 9, 9), (12, 5, 8), (6, 9, 6), (1, 1, 1), (200, 60, 17)],
)
def test_the_budget_is_met_and_the_objective_is_an_independent_transport_cost(method, n_train, n_valid, budget):
    cost = instance(n_train, n_valid)
    result = balanced_k_medoids(cost, budget, method=method, max_solves=60)
    assert result.indices.dtype == np.int64
    assert len(np.unique(result.indices)) == budget
    assert result.objective == pytest.approx(transport_cost(cost, result.indices), abs=1e-9)
    assert result.lower_bound <= result.objective
    assert result.gap == result.objective - result.lower_bound
    values = [objective for _, objective in result.trace]
    assert values == sorted(values, reverse=True)
    assert values[-1] == result.objective
    assert result.n_transport_solves <= 60


def test_small_cases_are_optimal_and_certified_and_bounded_from_below():
    distances = []
    for seed in range(50):
        generator = np.random.default_rng(seed)
        n_train, budget = int(generator.integers(4, 10)), int(generator.integers(1, 4))
        cost = instance(n_train, int(generator.integers(2, 8)), seed, gradient_weight=float(generator.random()))
        optimum = min(transport_cost(cost, np.array(chosen)) for chosen in combinations(range(n_train), budget))
        result = balanced_k_medoids(cost, budget)
        assert result.certified
        assert result.lower_bound <= optimum + 1e-12
        distances.append((result.objective - optimum) / (optimum + cost.gradient_weight))
    assert np.median(distances) <= 1e-9
    assert max(distances) <= 0.05


def test_certified_means_that_no_single_exchange_helps():
    cost = instance(60, 40, seed=3)
    result = balanced_k_medoids(cost, 7, max_solves=3000)
    assert result.certified
    outside = np.setdiff1d(np.arange(60), result.indices)
    exchanged = [
        transport_cost(cost, np.append(np.delete(result.indices, place), row)) for place in range(7) for row in outside
    ]
    assert min(exchanged) >= result.objective - 1e-9


def test_too_many_costs_for_a_proof_are_searched_but_not_certified(monkeypatch):
    cost = instance(200, 60)
    proved = balanced_k_medoids(cost, 12, max_solves=5000)
    monkeypatch.setattr("coresift.transport.certified_search.PROOF_ENTRIES", 1000)
    searched = balanced_k_medoids(cost, 12, max_solves=5000)
    assert proved.certified
    assert not searched.certified
    assert searched.objective == pytest.approx(proved.objective, abs=0.02)


def test_ours_is_lower_than_both_forms_of_the_papers_algorithm():
    cost = instance(400, 150, seed=1, dimensions=8)
    ours, intended, released = (balanced_k_medoids(cost, 24, method=method).objective for method in METHODS)
    assert ours < intended < released


def test_copies_of_medoids_are_ruled_out_without_solving_their_exchanges():
    generator = np.random.default_rng(4)
    train, valid = generator.normal(size=(30, 3)), generator.normal(size=(24, 3))
    plain, copied = (
        balanced_k_medoids(BlockCost(rows, valid), 5, max_solves=3000) for rows in (train, np.repeat(train, 9, axis=0))
    )
    assert plain.certified
    assert copied.certified
    assert copied.objective <= plain.objective + 1e-12
    assert copied.n_transport_solves < plain.n_transport_solves + 100


@pytest.mark.parametrize("method", METHODS)
def test_duplicates_and_ties_never_repeat_a_row(method):
    train = np.repeat(np.eye(3, dtype=np.float32), 8, axis=0)
    result = balanced_k_medoids(BlockCost(train, train[::5]), 11, method=method, max_solves=30)
    assert len(np.unique(result.indices)) == 11


def test_the_same_seed_gives_the_same_set_and_blocks_hardly_matter():
    first, again = (balanced_k_medoids(instance(300, 90), 20, random_state=5) for _ in range(2))
    np.testing.assert_array_equal(first.indices, again.indices)
    other = balanced_k_medoids(instance(300, 90, block_size=37), 20, random_state=5)
    assert other.objective == pytest.approx(first.objective, abs=0.005 * (first.objective + 0.2))


@pytest.mark.parametrize("block_size", [1, 13, 64, 4096])
def test_objectives_of_the_same_rows_agree_across_block_sizes(block_size):
    rows = np.arange(3, 23)
    expected = solve_transport(instance(300, 90).rows(rows, exact=True)).value
    blocks = solve_transport(instance(300, 90, block_size=block_size).rows(rows, exact=True)).value
    assert blocks == pytest.approx(expected, abs=1e-9)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_objectives_of_the_same_rows_agree_across_devices():
    costs = [instance(300, 90, device=device) for device in ("cpu", "cuda")]
    rows = [cost.rows(np.arange(20), exact=True) for cost in costs]
    np.testing.assert_allclose(rows[0], rows[1], atol=1e-9)
    first, other = (balanced_k_medoids(cost, 20).objective for cost in costs)
    assert other == pytest.approx(first, abs=0.005 * (first + 0.2))


@pytest.mark.parametrize("transformation", ["shift", "scale", "rotation"])
def test_the_chosen_set_is_invariant_under_similarities(transformation):
    generator = np.random.default_rng(0)
    points = (generator.integers(-512, 513, size=(160, 4)) / 64).astype(np.float32)
    moved = {"shift": points + 16, "scale": points * 4, "rotation": points[:, [1, 0, 3, 2]] * [-1, 1, 1, -1]}
    norms = generator.random(110)
    sets = [
        balanced_k_medoids(BlockCost(rows[:110], rows[110:], norms, 0.1), 10, max_solves=2000)
        for rows in (points, moved[transformation])
    ]
    np.testing.assert_array_equal(sets[0].indices, sets[1].indices)


@pytest.mark.parametrize("method", METHODS)
def test_fixed_rows_stay_and_excluded_rows_stay_out(method):
    result = balanced_k_medoids(instance(80, 30), 9, method=method, fixed=[5, 70], exclude=np.arange(10, 40))
    assert {5, 70} <= set(result.indices)
    assert not set(result.indices) & set(range(10, 40))
    assert result.lower_bound <= result.objective


@pytest.mark.parametrize("method", METHODS)
def test_fixed_rows_alone_are_the_selection(method):
    fixed = [40, 3, 22]
    result = balanced_k_medoids(instance(80, 30), 3, method=method, fixed=fixed, max_solves=40)
    assert result.indices.tolist() == sorted(fixed)


def test_a_start_is_kept_where_no_solve_is_left():
    start = np.arange(8)
    result = balanced_k_medoids(instance(50, 20), 8, initial=start, max_solves=1)
    np.testing.assert_array_equal(result.indices, start)
    assert result.n_transport_solves == 1


def test_progress_reports_every_improvement():
    reports = []
    result = balanced_k_medoids(instance(200, 60), 12, on_progress=reports.append)
    assert [report["objective"] for report in reports] == [objective for _, objective in result.trace]
    assert reports[-1]["gap"] == reports[-1]["objective"] - reports[-1]["lower_bound"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"budget": 51}, r"budget 51 > 50 candidates: lower selection\.budget"),
        ({"budget": 49, "exclude": [1, 2]}, "budget 49 > 48 candidates"),
        ({"budget": 0}, "budget 0 < 1"),
        ({"budget": 2, "fixed": [1, 2, 3]}, "3 fixed rows > budget 2"),
        ({"budget": 2, "fixed": [1], "exclude": [1]}, "share rows"),
        ({"budget": 2, "exclude": [50]}, r"outside 0\.\.49"),
        ({"budget": 2, "fixed": [1, 1]}, "twice"),
        ({"budget": 2, "initial": [1]}, "initial names 1 rows"),
        ({"budget": 2, "initial": [1, 2], "exclude": [2]}, "no excluded row"),
        ({"budget": 2, "method": "magic"}, "unknown method 'magic'"),
        ({"budget": 2, "max_solves": 0}, "max_solves is 0"),
    ],
)
def test_bad_arguments_say_what_is_wrong(options, message):
    with pytest.raises(ValueError, match=message):
        balanced_k_medoids(instance(50, 20), **options)
