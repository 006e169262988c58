"""Bootstrap intervals: coverage of the known mean, pairing, missing values, determinism."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from coresift.ranking import bootstrap_columns, bootstrap_mean, paired_bootstrap, paired_bootstrap_columns


def test_the_interval_has_the_width_theory_predicts() -> None:
    values = np.random.default_rng(0).normal(2.0, 3.0, 4000)
    mean, low, high = bootstrap_mean(values, n_resamples=2000)
    standard_error = values.std() / np.sqrt(len(values))
    assert mean == pytest.approx(values.mean())
    assert high - low == pytest.approx(2 * 1.96 * standard_error, rel=0.1)
    assert low < mean < high


def test_same_seed_same_interval() -> None:
    values = np.random.default_rng(0).random(500)
    assert bootstrap_mean(values, 300, 5) == bootstrap_mean(values, 300, 5)
    assert bootstrap_mean(values, 300, 5) != bootstrap_mean(values, 300, 6)


def test_missing_values_are_left_out() -> None:
    values = np.random.default_rng(1).random(400)
    values[::3] = np.nan
    mean, low, high = bootstrap_mean(values, 500)
    assert mean == pytest.approx(np.nanmean(values))
    assert low < mean < high
    assert np.isnan(bootstrap_mean([np.nan, np.nan], 10)).all()


def test_columns_share_their_draws() -> None:
    values = np.random.default_rng(1).random((300, 1))
    _, low, high = bootstrap_columns(np.hstack([values, values + 1.0]), n_resamples=400)
    assert low[1] - low[0] == pytest.approx(1.0)
    assert high[1] - high[0] == pytest.approx(1.0)


def test_pairing_finds_a_small_constant_gain() -> None:
    generator = np.random.default_rng(2)
    base = generator.random(500)
    gain = base + 0.01 + generator.normal(0, 0.01, 500)
    difference = paired_bootstrap(gain, base, n_resamples=1000)
    assert difference.mean_difference == pytest.approx(0.01, abs=0.002)
    assert difference.low > 0
    assert difference.p_value < 0.01


def test_no_difference_is_not_significant() -> None:
    values = np.random.default_rng(2).random(100)
    difference = paired_bootstrap(values, values, n_resamples=200)
    assert (difference.mean_difference, difference.low, difference.high, difference.p_value) == (0, 0, 0, 1)


def test_users_missing_on_either_side_do_not_count() -> None:
    a, b = np.array([1.0, np.nan, 3.0]), np.array([0.0, 5.0, np.nan])
    assert paired_bootstrap(a, b, n_resamples=100).mean_difference == 1.0


def test_many_pairs_agree_with_one_by_one() -> None:
    generator = np.random.default_rng(4)
    a, b = generator.random((200, 3)), generator.random((200, 3))
    together = paired_bootstrap_columns(a - b, n_resamples=300, random_state=9)
    for column, result in enumerate(together):
        alone = paired_bootstrap(a[:, column], b[:, column], n_resamples=300, random_state=9)
        assert alone.low == pytest.approx(result.low)
        assert alone.p_value == result.p_value


def test_unpaired_arrays_are_refused() -> None:
    with pytest.raises(ValueError, match="not paired"):
        paired_bootstrap([1.0, 2.0], [1.0])


def test_draws_in_which_nobody_was_measured_are_left_out() -> None:
    values = np.full(4, np.nan)
    values[2] = 0.25
    assert bootstrap_mean(values, n_resamples=200) == (0.25, 0.25, 0.25)
    other = values - 0.05
    assert paired_bootstrap(values, other, n_resamples=200).low == pytest.approx(0.05)


@pytest.mark.parametrize("shift", [-0.2, -0.1, 0.0, 0.1, 0.2])
def test_the_p_value_counts_both_sides(shift: float) -> None:
    values = np.random.default_rng(0).normal(size=200)
    values += shift - values.mean()
    expected = stats.ttest_1samp(values, 0.0).pvalue
    found, opposite = (paired_bootstrap(sign * values, np.zeros(200)) for sign in (1, -1))
    assert found.p_value == pytest.approx(expected, abs=0.03)
    assert opposite.p_value == pytest.approx(found.p_value, abs=0.03)


def test_the_p_value_is_that_of_the_interval_it_stands_beside() -> None:
    for seed in range(40):
        values = np.random.default_rng(seed).normal(0.15, 1, size=150)
        found = paired_bootstrap(values, np.zeros(150), n_resamples=4000)
        assert (found.p_value < 0.05) == (found.low > 0 or found.high < 0) or abs(found.p_value - 0.05) < 0.002
