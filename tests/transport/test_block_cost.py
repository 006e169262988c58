from __future__ import annotations

import numpy as np
import pytest

from coresift.transport import BlockCost


def reference(train, valid, norms=None, weight=0.0):
    distances = np.sqrt(((train[:, None].astype(np.float64) - valid[None].astype(np.float64)) ** 2).sum(axis=2))
    scale = distances.max() if distances.max() > 0 else 1.0
    offset = 0.0 if norms is None or norms.max() == 0 else weight * norms / norms.max()
    return distances / scale - np.broadcast_to(offset, len(train))[:, None], scale


@pytest.fixture
def rows():
    generator = np.random.default_rng(0)
    train = generator.normal(size=(40, 7)).astype(np.float32)
    train[3] = train[5]
    valid = generator.normal(size=(17, 7)).astype(np.float32)
    valid[2] = train[9]
    return train, valid, generator.random(40)


@pytest.mark.parametrize("block_size", [1, 7, 1000])
def test_exact_rows_and_scale_equal_the_definition_for_every_block_size(rows, block_size):
    train, valid, norms = rows
    cost = BlockCost(train, valid, norms, 0.3, block_size=block_size)
    expected, scale = reference(train, valid, norms, 0.3)
    assert (len(cost), cost.n_targets) == expected.shape
    assert cost.distance_scale == pytest.approx(scale, rel=1e-12)
    exact = cost.rows(np.arange(40), exact=True)
    assert exact.dtype == np.float64
    np.testing.assert_allclose(exact, expected, atol=1e-12)


def test_fast_rows_are_float32_and_close(rows):
    train, valid, norms = rows
    fast = BlockCost(train, valid, norms, 0.3).rows([4, 1, 4])
    assert fast.dtype == np.float32
    np.testing.assert_allclose(fast, reference(train, valid, norms, 0.3)[0][[4, 1, 4]], atol=1e-3)


def test_blocks_cover_every_row_once_in_order(rows):
    train, valid, norms = rows
    cost = BlockCost(train, valid, norms, 0.3, block_size=7)
    positions, blocks = zip(*cost.blocks(), strict=True)
    np.testing.assert_array_equal(np.concatenate(positions), np.arange(40))
    assert max(block.shape[0] for block in blocks) == 7


def test_a_large_common_offset_does_not_cost_precision(rows):
    train, valid, _ = rows
    train, valid = np.round(train * 64) / 64, np.round(valid * 64) / 64
    shifted = BlockCost(train + 4096, valid + 4096).rows(np.arange(40))
    np.testing.assert_allclose(shifted, BlockCost(train, valid).rows(np.arange(40)), atol=2e-3)


def test_scale_is_one_where_all_rows_coincide_and_zero_norms_add_nothing():
    cost = BlockCost(np.ones((3, 2)), np.ones((2, 2)), np.zeros(3), 0.5)
    assert cost.distance_scale == 1.0
    np.testing.assert_array_equal(cost.rows([0, 1, 2], exact=True), np.zeros((3, 2)))


def test_scale_finds_the_furthest_pair_among_many_that_nearly_tie():
    angles = np.linspace(0, np.pi, 500, dtype=np.float32)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    expected = reference(circle, -circle)[1]
    assert BlockCost(circle, -circle, block_size=13).distance_scale == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("scale", [None, 100.0, 0.1])
def test_no_cost_exceeds_the_largest_cost(rows, scale):
    train, valid, norms = rows
    cost = BlockCost(train, valid, norms, 0.3, distance_scale=scale)
    part = cost.subset([8, 2], [0, 5, 6])
    assert cost.rows(np.arange(40), exact=True).max() <= cost.largest_cost == part.largest_cost
    assert (cost.largest_cost == 1.0) == (scale != 0.1)


def test_rows_that_nearly_coincide_are_measured_alike_however_few_at_a_time(rows, monkeypatch):
    train, valid, _ = rows
    valid[:5] = train[:5] + 1e-5
    exact = [BlockCost(train, valid).rows(np.arange(40), exact=True)]
    monkeypatch.setattr("coresift.transport.block_cost.DIFFERENCE_ENTRIES", 8)
    exact.append(BlockCost(train, valid).rows(np.arange(40), exact=True))
    np.testing.assert_array_equal(exact[0], exact[1])


def test_a_subset_keeps_the_units_of_the_whole(rows):
    train, valid, norms = rows
    cost = BlockCost(train, valid, norms, 0.3)
    part = cost.subset([8, 2], [0, 5, 6])
    np.testing.assert_allclose(part.rows([0, 1], exact=True), cost.rows([8, 2], exact=True)[:, [0, 5, 6]], atol=1e-14)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train": np.array([[np.nan, 0.0]])}, "train holds values that are not finite"),
        ({"valid": np.array([[np.inf, 0.0]])}, "valid holds values that are not finite"),
        ({"train": np.zeros(3)}, "train has shape"),
        ({"valid": np.zeros((0, 2))}, "at least one row"),
        ({"valid": np.zeros((2, 3))}, "2 dimensions and valid 3"),
        ({"gradient_norms": [-1.0, 1.0]}, "negative or not finite"),
        ({"gradient_norms": [1.0]}, "one norm per row"),
        ({"gradient_weight": -0.1}, "gradient_weight is -0.1"),
        ({"block_size": 0}, "block_size is 0"),
        ({"distance_scale": 0.0}, "distance_scale is 0.0: it must be finite and above 0"),
        ({"distance_scale": -1.0}, "distance_scale is -1.0"),
        ({"distance_scale": np.nan}, "distance_scale is nan"),
        ({"gradient_scale": np.inf}, "gradient_scale is inf"),
        ({"gradient_scale": 0.0}, "gradient_scale is 0.0: it must be finite and above 0"),
    ],
)
def test_bad_input_says_what_is_wrong(changes, message):
    with pytest.raises(ValueError, match=message):
        BlockCost(**({"train": np.zeros((2, 2)), "valid": np.ones((2, 2))} | changes))
