"""Bootstrap over users: 95 % percentile intervals of means and of paired differences (Efron, 1979)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from coresift.compute import as_numpy

DRAWS_PER_BLOCK = 4_000_000
PERCENTILES = (2.5, 97.5)


@dataclass(frozen=True)
class PairedDifference:
    """Mean of a - b over the same users, its 95 % interval and two-sided p-value for "no difference"."""

    mean_difference: float
    low: float
    high: float
    p_value: float


def bootstrap_mean(values: ArrayLike, n_resamples: int = 10_000, random_state: int = 0) -> tuple[float, float, float]:
    """Return the mean of per-user values and the ends of its 95 % interval.

    Args:
        values: (U,) values; NaN means "not measured" and is left out.
        n_resamples: Number of draws of U users with replacement.
        random_state: Seed of the draws.

    Returns:
        Mean, low and high; all NaN where no value is left.
    """
    column = as_numpy(values).astype(np.float64).reshape(-1, 1)
    mean, low, high = bootstrap_columns(column, n_resamples=n_resamples, random_state=random_state)
    return float(mean[0]), float(low[0]), float(high[0])


def bootstrap_columns(
    values: NDArray[np.float64], *, n_resamples: int = 10_000, random_state: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return mean, low and high (C,) of every column of (U, C) values; all columns share the same draws of users."""
    measured = ~np.isnan(values)
    total = np.where(measured, values, 0.0).sum(axis=0)
    mean = np.divide(total, measured.sum(axis=0), out=np.full(values.shape[1], np.nan), where=measured.any(axis=0))
    low, high = _percentiles(_resampled_means(values, n_resamples, random_state))
    return mean, low, high


def paired_bootstrap(a: ArrayLike, b: ArrayLike, n_resamples: int = 10_000, random_state: int = 0) -> PairedDifference:
    """Compare two systems on the same users.

    Args:
        a: (U,) values of the first system.
        b: (U,) values of the second system for the same users in the same order.
        n_resamples: Number of draws of U users with replacement.
        random_state: Seed of the draws.

    Returns:
        Mean difference a - b over users measured in both, its interval and p-value.

    Raises:
        ValueError: The arrays are not two vectors of equal length.
    """
    first, second = as_numpy(a).astype(np.float64), as_numpy(b).astype(np.float64)
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(f"Arrays of shape {first.shape} and {second.shape} are not paired: pass two of equal length.")
    return paired_bootstrap_columns(
        first[:, None] - second[:, None], n_resamples=n_resamples, random_state=random_state
    )[0]


def paired_bootstrap_columns(
    differences: NDArray[np.float64],
    *,
    groups: NDArray[np.int64] | None = None,
    n_resamples: int = 10_000,
    random_state: int = 0,
) -> list[PairedDifference]:
    """Compare many pairs at once.

    Args:
        differences: (N, C) a - b of one pair per column.
        groups: (N,) the user of every row, from 0 without gaps, whose rows are drawn together; None: a row is a user.
        n_resamples: Number of draws of users with replacement.
        random_state: Seed of the draws.
    """
    means = _resampled_means(differences, n_resamples, random_state, groups)
    low, high = _percentiles(means)
    measured = ~np.isnan(differences)
    total = np.where(measured, differences, 0.0).sum(axis=0)
    mean = np.divide(total, measured.sum(axis=0), out=np.full(len(low), np.nan), where=measured.any(axis=0))
    tail = np.minimum((means <= 0).sum(axis=0), (means >= 0).sum(axis=0))
    p_value = np.where(np.isnan(mean), np.nan, np.minimum(1.0, 2.0 * (tail + 1) / (n_resamples + 1)))
    return [PairedDifference(*map(float, column)) for column in zip(mean, low, high, p_value, strict=True)]


def _percentiles(means: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the ends of the interval of every column; a draw in which nobody was measured is left out."""
    empty = np.isnan(means)
    low, high = np.percentile(np.where(empty.any(axis=0), np.nan, means), PERCENTILES, axis=0)
    partly = empty.any(axis=0) & ~empty.all(axis=0)
    if partly.any():
        low[partly], high[partly] = np.nanpercentile(means[:, partly], PERCENTILES, axis=0)
    return low, high


def _resampled_means(
    values: NDArray[np.float64], n_resamples: int, random_state: int, groups: NDArray[np.int64] | None = None
) -> NDArray[np.float64]:
    """Return (n_resamples, C): column means over users drawn with replacement, computed as counts @ values."""
    if len(values) == 0:
        return np.full((n_resamples, values.shape[1]), np.nan)
    generator = np.random.default_rng(random_state)
    measured = (~np.isnan(values)).astype(np.float64)
    filled = np.where(np.isnan(values), 0.0, values)
    if groups is not None:
        filled, measured = (_sums(part, groups) for part in (filled, measured))
    n_users, complete = len(filled), bool((measured == 1).all())
    block_size = max(1, DRAWS_PER_BLOCK // n_users)
    blocks = []
    for start in range(0, n_resamples, block_size):
        counts = _draw_counts(generator, min(block_size, n_resamples - start), n_users)
        weight = float(n_users) if complete else counts @ measured
        with np.errstate(invalid="ignore"):
            blocks.append((counts @ filled) / weight)
    return np.concatenate(blocks)


def _sums(rows: NDArray[np.float64], groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """Add the rows (N, C) of every group."""
    sums = np.zeros((int(groups.max()) + 1, rows.shape[1]))
    np.add.at(sums, groups, rows)
    return sums


def _draw_counts(generator: np.random.Generator, n_draws: int, n_users: int) -> NDArray[np.float64]:
    """Return (n_draws, n_users): how often each user is drawn."""
    picks = generator.integers(n_users, size=(n_draws, n_users), dtype=np.int64)
    picks += np.arange(n_draws)[:, None] * n_users
    counts = np.bincount(picks.ravel(), minlength=n_draws * n_users)
    return counts.reshape(n_draws, n_users).astype(np.float64)
