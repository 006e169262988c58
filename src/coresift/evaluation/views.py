"""Which rows and metrics of a metrics document people look at first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class View:
    """What is shown of one kind of evaluation.

    Attributes:
        headline: Metrics of the tuned model at the top of the report.
        columns: Metrics of the tables.
        compared: Metrics of comparisons, plot and summary.
        lower_is_better: Those of ``columns`` of which the lowest value is the best.
        masked: Whether the rows looked at first have the history masked.
    """

    headline: tuple[str, ...]
    columns: tuple[str, ...]
    compared: tuple[str, str]
    lower_is_better: tuple[str, ...] = ()
    masked: bool = True


RANKING = View(
    headline=("recall@10", "ndcg@10", "hit_rate@10"),
    columns=("recall@10", "recall@20", "ndcg@10", "ndcg@20", "hit_rate@10", "mrr@10"),
    compared=("recall@10", "ndcg@10"),
)
CLICK = View(
    headline=("auc", "log_loss", "accuracy"),
    columns=("auc", "log_loss", "accuracy", "calibration_error"),
    compared=("auc", "log_loss"),
    lower_is_better=("log_loss", "calibration_error"),
    masked=False,
)


def view_of(metrics: dict[str, Any]) -> View:
    """Return what to show of a metrics document."""
    return CLICK if metrics.get("kind") == "click" else RANKING


def main_rows(metrics: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows that are looked at first."""
    return [row for row in metrics["rows"] if row["masked"] == view_of(metrics).masked]
