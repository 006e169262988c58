"""Metrics of predicted click probabilities: discrimination, sharpness, calibration."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from coresift.compute import as_numpy

CLICK_METRICS = ("auc", "log_loss", "accuracy", "calibration_error")
N_BINS = 10
"""Bins of the calibration error, with equally many predictions each."""
SMALLEST_PROBABILITY = 1e-7
"""A certain but wrong prediction costs 16 nats instead of infinitely many."""


def click_metrics(probability: ArrayLike, label: ArrayLike, *, threshold: float = 0.5) -> dict[str, float]:
    """Measure predicted probabilities against what happened.

    ``auc`` is the chance that a clicked sample is ranked above one that was not, ties counting half (Mann and Whitney,
    1947); NaN where only one class occurs. ``log_loss`` is the mean cross-entropy in nats, ``accuracy`` the share on
    the right side of the threshold, ``calibration_error`` the mean distance between predicted and observed frequency
    over ten bins of equally many predictions (arXiv 1706.04599, with quantile bins).

    Args:
        probability: (N,) predicted probabilities.
        label: (N,) 1 for a click, else 0.
        threshold: Lowest probability that counts as a predicted click.

    Raises:
        ValueError: If the lengths differ, nothing is given, a label is neither 0 nor 1, or a probability is outside
            0 to 1.
    """
    predicted, clicked = as_numpy(probability).astype(np.float64), as_numpy(label).astype(np.int64)
    _check(predicted, clicked)
    return {
        "auc": _area_under_curve(predicted, clicked == 1),
        "log_loss": float(click_log_losses(predicted, clicked).mean()),
        "accuracy": float(((predicted >= threshold) == (clicked == 1)).mean()),
        "calibration_error": _calibration_error(predicted, clicked),
    }


def click_log_losses(probability: NDArray[np.float64], label: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the cross-entropy (N,) of every prediction in nats, each bounded by 16."""
    of_truth = np.where(label == 1, probability, 1.0 - probability)
    return -np.log(np.maximum(of_truth, SMALLEST_PROBABILITY))


def calibration_curve(
    probability: NDArray[np.float64], label: NDArray[np.int64], *, n_bins: int = N_BINS
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Return mean prediction, observed frequency and count of bins that hold equally many predictions."""
    order = np.argsort(probability, kind="stable")
    bins = [part for part in np.array_split(order, n_bins) if len(part)]
    means = np.array([probability[part].mean() for part in bins])
    frequencies = np.array([label[part].mean() for part in bins])
    return means, frequencies, np.array([len(part) for part in bins])


def _area_under_curve(probability: NDArray[np.float64], clicked: NDArray[np.bool_]) -> float:
    n_clicked, n_other = int(clicked.sum()), int((~clicked).sum())
    if not n_clicked or not n_other:
        return float("nan")
    rank_sum = rankdata(probability)[clicked].sum()
    return float((rank_sum - n_clicked * (n_clicked + 1) / 2) / (n_clicked * n_other))


def _calibration_error(probability: NDArray[np.float64], label: NDArray[np.int64]) -> float:
    means, frequencies, counts = calibration_curve(probability, label)
    return float(np.abs(means - frequencies) @ counts / counts.sum())


def _check(probability: NDArray[np.float64], label: NDArray[np.int64]) -> None:
    if probability.ndim != 1 or probability.shape != label.shape or not len(label):
        shapes = f"{probability.shape} and {label.shape}"
        raise ValueError(f"Probabilities and labels of shape {shapes} do not match: pass one of each per sample.")
    if not np.isin(label, (0, 1)).all():
        raise ValueError("A label is neither 0 nor 1: pass 1 for a click and 0 for none.")
    if not ((probability >= 0) & (probability <= 1)).all():
        raise ValueError("A probability lies outside 0 to 1: pass probabilities, not scores.")
