"""Click predictions: every method on the same impressions, with intervals over users."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from coresift.evaluation.methods import samples_to_test
from coresift.evaluation.ranking_evaluation import in_order_of, ordered_methods
from coresift.ranking import PairedDifference, click_log_losses, click_metrics

COMPARED = ("auc", "log_loss", "accuracy")
"""Metrics with an interval; the calibration error has none, as it is biased upwards in every resample."""
WEIGHTS_PER_BLOCK = 4_000_000
PERCENTILES = (2.5, 97.5)

Draws = dict[str, NDArray[np.float64]]


def evaluate_clicks(
    predictions: pa.Table, samples: pa.Table, *, n_resamples: int = 10_000, random_state: int = 0
) -> tuple[dict[str, Any], pa.Table]:
    """Measure every method's probabilities on the test impressions.

    Args:
        predictions: Table method, sample_id, probability; every method covers every test sample.
        samples: Table ``samples`` with labels.
        n_resamples: Bootstrap draws of users, whose impressions stay together.
        random_state: Seed of the draws, which all methods share.

    Returns:
        The metrics document (kind, users, impressions, rows, comparisons of the tuned model with every other method),
        and the table method, masked, sample_id, user_id, log_loss and accuracy.

    Raises:
        ValueError: If a method does not cover the test samples.
    """
    tested = samples_to_test(samples).sort_by("sample_id")
    label = np.asarray(tested["label"], dtype=np.int64)
    users = np.unique(np.asarray(tested["user_id"]), return_inverse=True)[1]
    found = {name: _probability(predictions, name, tested["sample_id"]) for name in ordered_methods(predictions)}
    draws = {name: _draws(values, label, users, n_resamples, random_state) for name, values in found.items()}
    document = {
        "kind": "click",
        "users": int(users.max(initial=-1)) + 1,
        "impressions": len(label),
        "rows": [_row(name, click_metrics(values, label), draws[name]) for name, values in found.items()],
        "comparisons": _comparisons(found, label, draws),
    }
    return document, pa.concat_tables([_per_sample(name, found[name], label, tested) for name in found])


@dataclass(frozen=True)
class _Sorted:
    """Impressions in the order of their probability.

    Attributes:
        order: (N,) positions.
        starts: Where each run of equal probabilities begins.
    """

    order: NDArray[np.int64]
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, probability: NDArray[np.float64]) -> _Sorted:
        order = np.argsort(probability, kind="stable")
        return cls(order, np.flatnonzero(np.diff(probability[order], prepend=-1.0)))

    def area_under_curve(self, weights: NDArray[np.float64], label: NDArray[np.int64]) -> NDArray[np.float64]:
        """AUC (D,) under weights (D, N) of the impressions; NaN where a class has no weight."""
        ordered = weights[:, self.order]
        clicked = np.add.reduceat(ordered * label[self.order], self.starts, axis=1)
        other = np.add.reduceat(ordered * (1 - label[self.order]), self.starts, axis=1)
        below = np.cumsum(other, axis=1) - other
        pairs = clicked.sum(axis=1) * other.sum(axis=1)
        wins = (clicked * (below + other / 2)).sum(axis=1)
        return np.divide(wins, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)


def _draws(
    probability: NDArray[np.float64], label: NDArray[np.int64], users: NDArray[np.int64], n_resamples: int, seed: int
) -> Draws:
    """Every compared metric (n_resamples,) over users drawn with replacement."""
    ranked = _Sorted.of(probability)
    losses = np.stack([click_log_losses(probability, label), (probability >= 0.5) == (label == 1)], axis=1)
    parts = []
    for weights in _weights(users, n_resamples, seed):
        means = weights @ losses / weights.sum(axis=1, keepdims=True)
        parts.append(np.column_stack([ranked.area_under_curve(weights, label), means]))
    return dict(zip(COMPARED, np.concatenate(parts).T, strict=True))


def _weights(users: NDArray[np.int64], n_resamples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """How often every impression counts (D, N), in blocks of draws."""
    generator = np.random.default_rng(seed)
    n_users = int(users.max(initial=-1)) + 1
    height = max(1, WEIGHTS_PER_BLOCK // max(1, len(users)))
    for start in range(0, n_resamples, height):
        drawn = generator.multinomial(n_users, np.full(n_users, 1 / n_users), size=min(height, n_resamples - start))
        yield drawn[:, users].astype(np.float64)


def _row(method: str, metrics: dict[str, float], draws: Draws) -> dict[str, Any]:
    figures: dict[str, Any] = {"method": method, "masked": False}
    for name, mean in metrics.items():
        low, high = np.nanpercentile(draws[name], PERCENTILES) if name in draws else (mean, mean)
        figures[name] = {"mean": mean, "low": float(low), "high": float(high)}
    return figures


def _comparisons(found: dict[str, Any], label: NDArray[np.int64], draws: dict[str, Draws]) -> list[dict[str, Any]]:
    if "tuned" not in found:
        return []
    ours = click_metrics(found["tuned"], label)
    return [
        {"method": "tuned", "against": other, "masked": False}
        | {
            name: asdict(_difference(ours[name] - click_metrics(found[other], label)[name], draws, other, name))
            for name in COMPARED
        }
        for other in found
        if other != "tuned"
    ]


def _difference(mean: float, draws: dict[str, Draws], other: str, name: str) -> PairedDifference:
    differences = draws["tuned"][name] - draws[other][name]
    differences = differences[~np.isnan(differences)]
    if not len(differences):
        # One class only, of which no draw has an AUC.
        return PairedDifference(mean, math.nan, math.nan, math.nan)
    low, high = np.percentile(differences, PERCENTILES)
    tail = min((differences <= 0).sum(), (differences >= 0).sum())
    return PairedDifference(mean, float(low), float(high), float(min(1.0, 2 * (tail + 1) / (len(differences) + 1))))


def _probability(predictions: pa.Table, method: str, sample_id: pa.ChunkedArray) -> NDArray[np.float64]:
    complaint = f"Predictions of '{method}' do not cover the test samples: predict again."
    chosen = in_order_of(predictions.filter(pc.field("method") == method), sample_id, complaint)
    return np.asarray(chosen["probability"], dtype=np.float64)


def _per_sample(method: str, probability: NDArray[np.float64], label: NDArray[np.int64], tested: pa.Table) -> pa.Table:
    right = (probability >= 0.5) == (label == 1)
    return pa.table(
        {
            "method": pa.repeat(pa.scalar(method), len(label)),
            "masked": pa.repeat(pa.scalar(False), len(label)),
            "sample_id": tested["sample_id"],
            "user_id": tested["user_id"],
            "log_loss": pa.array(click_log_losses(probability, label), pa.float32()),
            "accuracy": pa.array(right, pa.float32()),
        }
    )
