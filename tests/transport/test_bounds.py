from __future__ import annotations

import numpy as np
import pytest
import torch

from coresift.transport import BlockCost, solve_transport
from coresift.transport.greedy_start import greedy_medoids
from coresift.transport.lagrangian_bound import SelectionRules, lower_bound, lower_tail_mean, reduced_values
from coresift.transport.medoid_search import Effort, MedoidSearch
from coresift.transport.price_ascent import ascend, price_at
from coresift.transport.removal import removal
from coresift.transport.swap_proof import settle_exchanges

NONE = np.empty(0, dtype=np.int64)


def make_search(n_train=40, n_valid=23, budget=6, seed=0):
    generator = np.random.default_rng(seed)
    cost = BlockCost(
        generator.normal(size=(n_train, 3)), generator.normal(size=(n_valid, 3)), generator.random(n_train), 0.3
    )
    rules = SelectionRules(budget, NONE, np.ones(n_train, dtype=bool))
    return MedoidSearch(cost, rules, np.arange(budget), Effort(1000))


def prices_without(search, medoid):
    """What every validation row costs when a medoid is gone and the potentials stay."""
    return np.delete(search.rows - search.plan.source_potentials[:, None], medoid, axis=0).min(axis=0)


@pytest.mark.parametrize("share", [0.4, 1.0, 2.5, 3.0, 9.0])
def test_lower_tail_mean_counts_the_last_entry_in_part(share):
    rows = np.random.default_rng(0).normal(size=(5, 9))
    weights = np.clip(share - np.arange(9), 0, 1)
    expected = np.sort(rows, axis=1) @ weights / share
    np.testing.assert_allclose(lower_tail_mean(torch.as_tensor(rows), share).numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_a_medoid_is_worth_what_the_objective_loses_without_it(seed):
    """I1: the objective is the mean of the other potentials, of the prices without i, and of i's worth."""
    search = make_search(seed=seed)
    gone, n_medoids = removal(search), len(search.indices)
    for medoid in range(n_medoids):
        others = np.delete(search.plan.source_potentials, medoid).sum()
        rest = others / n_medoids + prices_without(search, medoid).mean()
        assert search.objective == pytest.approx(rest + gone.values[medoid] / n_medoids, abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_the_exchange_bound_is_never_above_the_exchange(seed):
    """I2: objective - worth of i + worth of o bounds every exchange of i for o from below."""
    search = make_search(seed=seed)
    gone, n_medoids = removal(search), len(search.indices)
    costs = torch.as_tensor(search.cost.rows(np.arange(40), exact=True))
    for medoid in range(n_medoids):
        worth = lower_tail_mean(costs - torch.as_tensor(prices_without(search, medoid)), search.share).numpy()
        for row in range(n_medoids, 40, 5):
            chosen = search.indices.copy()
            chosen[medoid] = row
            bound = search.objective + (worth[row] - gone.values[medoid]) / n_medoids
            assert bound <= solve_transport(costs[chosen].numpy()).value + 1e-9


def test_any_prices_bound_every_exchange_and_those_of_a_solved_one_are_exact_for_it():
    search = make_search()
    n_medoids, costs = len(search.indices), torch.as_tensor(search.cost.rows(np.arange(40), exact=True))
    medoid, row = 2, 31
    exchanged = search.indices.copy()
    exchanged[medoid] = row
    solved = solve_transport(costs[exchanged].numpy())
    stays = np.delete(exchanged, medoid)
    highest = (costs[stays].numpy() - np.delete(solved.source_potentials, medoid)[:, None]).min(axis=0)
    for prices in (highest, search.plan.target_potentials, np.random.default_rng(2).normal(size=23)):
        values = lower_tail_mean(costs - torch.as_tensor(prices), search.share).numpy()
        for other in range(n_medoids, 40, 3):
            chosen = np.append(stays, other)
            assert (
                prices.mean() + values[chosen].sum() / n_medoids <= solve_transport(costs[chosen].numpy()).value + 1e-9
            )
    values = lower_tail_mean(costs - torch.as_tensor(highest), search.share).numpy()
    assert highest.mean() + values[exchanged].sum() / n_medoids == pytest.approx(solved.value, abs=1e-9)


def test_few_remembered_prices_prove_the_same_with_more_solves(monkeypatch):
    searches = []
    for entries in (2**25, 2 * (40 + 23)):
        monkeypatch.setattr("coresift.transport.swap_proof.REMEMBERED_ENTRIES", entries)
        searches.append(make_search())
        assert settle_exchanges(searches[-1], np.arange(40), searches[-1].plan.target_potentials)
    many, few = searches
    np.testing.assert_array_equal(np.sort(many.indices), np.sort(few.indices))
    assert few.effort.n_solves > many.effort.n_solves


def test_no_prices_prove_more_than_any_selection_costs():
    search = make_search()
    generator = np.random.default_rng(1)
    costs = search.cost.rows(np.arange(40), exact=True)
    best = min(solve_transport(costs[generator.permutation(40)[:6]]).value for _ in range(200))
    for prices in (search.plan.target_potentials, costs.min(axis=0), generator.normal(size=23)):
        values = reduced_values(search.cost.blocks(), len(search.cost), prices, search.share)
        assert lower_bound(search.cost, search.rules, prices, values) <= best


@pytest.mark.parametrize("seed", range(4))
def test_prices_that_ascend_never_hold_a_row_dearer_than_it_is(seed):
    """Values that are not measured again are lowered by as much as the new prices can make them fall."""
    generator = np.random.default_rng(seed)
    cost = BlockCost(generator.normal(size=(400, 2)), generator.normal(size=(60, 2)))
    rules = SelectionRules(5, NONE, np.ones(400, dtype=bool))
    search = MedoidSearch(cost, rules, greedy_medoids(cost, 5, NONE, rules.candidates), Effort(10))
    start = price_at(cost, rules, search.rows.min(axis=0))
    costs, stale = torch.as_tensor(cost.rows(np.arange(400), exact=True)), 0
    for prices, _ in ascend(cost, rules, start, search.indices, search.objective):
        exact = lower_tail_mean(costs - torch.as_tensor(prices.values), search.share).numpy()
        assert (prices.reduced <= exact + 1e-5).all()
        bound = prices.values.mean() + exact[rules.cheapest(exact)].mean()
        assert prices.bound == pytest.approx(bound, abs=1e-5)
        stale += int((prices.reduced < exact - 1e-3).sum())
    assert stale > 0


@pytest.mark.parametrize(
    ("shape", "seed"), [((40, 23, 6), 16), ((60, 31, 8), 0), ((60, 31, 8), 27), ((60, 31, 8), 44), ((24, 17, 4), 1)]
)
def test_a_settled_selection_is_improved_by_no_single_exchange(shape, seed):
    """On the way to most of these the last exchanges gain less than a thousandth."""
    search = make_search(*shape, seed=seed)
    rows, n_medoids = np.arange(shape[0]), shape[2]
    assert settle_exchanges(search, rows, search.plan.target_potentials)
    costs = search.cost.rows(rows, exact=True)
    for medoid in range(n_medoids):
        for row in np.setdiff1d(rows, search.indices):
            chosen = search.indices.copy()
            chosen[medoid] = row
            assert solve_transport(costs[chosen]).value >= search.objective - 1e-9


@pytest.mark.parametrize("gradient_weight", [1e6, 1e7])
def test_the_bound_is_proved_where_float32_costs_are_coarse(gradient_weight):
    for seed in range(5):
        generator = np.random.default_rng(seed)
        train, valid, norms = generator.normal(size=(300, 4)), generator.normal(size=(40, 4)), generator.random(300)
        cost = BlockCost(train, valid, 1 - norms / gradient_weight, gradient_weight)
        exact = cost.rows(np.arange(300), exact=True)
        rules = SelectionRules(3, NONE, np.ones(300, dtype=bool))
        prices = exact.min(axis=0) + 0.1 * generator.normal(size=40) * np.ptp(exact)
        values = reduced_values(cost.blocks(), 300, prices, 40 / 3)
        proved = prices.mean() + np.sort(lower_tail_mean(torch.as_tensor(exact - prices), 40 / 3).numpy())[:3].mean()
        assert lower_bound(cost, rules, prices, values) <= proved + 1e-12 * gradient_weight


@pytest.mark.parametrize("dense_share", [0.0, 1.0])
@pytest.mark.parametrize("unit", [1.0, 0.01, 1e-6])
def test_greedy_does_not_depend_on_the_unit_of_distances(monkeypatch, dense_share, unit):
    monkeypatch.setattr("coresift.transport.greedy_start.SPARSE_SHARE", dense_share)
    generator = np.random.default_rng(0)
    train, valid = generator.normal(size=(120, 3)), generator.normal(size=(50, 3))
    plain = BlockCost(train, valid)
    scaled = BlockCost(train, valid, distance_scale=unit * plain.distance_scale)
    everyone = np.ones(120, dtype=bool)
    expected = greedy_medoids(plain, 15, NONE, everyone)
    np.testing.assert_array_equal(greedy_medoids(scaled, 15, NONE, everyone), expected)
    part, part_scaled = (cost.subset(np.arange(100), np.arange(30)) for cost in (plain, scaled))
    expected = greedy_medoids(part, 9, NONE, everyone[:100])
    np.testing.assert_array_equal(greedy_medoids(part_scaled, 9, NONE, everyone[:100]), expected)


@pytest.mark.parametrize("dense_share", [0.0, 1.0])
def test_greedy_equals_the_plain_greedy_on_the_same_costs(monkeypatch, dense_share):
    monkeypatch.setattr("coresift.transport.greedy_start.SPARSE_SHARE", dense_share)
    search = make_search(120, 50)
    costs = search.cost.rows(np.arange(120)).astype(np.float64)
    nearest, expected = np.ones(50), []
    for _ in range(15):
        gains = np.maximum(nearest - costs, 0).sum(axis=1)
        gains[expected] = -1
        expected.append(int(gains.argmax()))
        nearest = np.minimum(nearest, costs[expected[-1]])
    assert greedy_medoids(search.cost, 15, NONE, np.ones(120, dtype=bool)).tolist() == expected
