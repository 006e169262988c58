"""Ranking: the best items of every user in bounded memory, metrics of the lists, and bootstrap intervals."""

from __future__ import annotations

from coresift.ranking.bootstrap import (
    PairedDifference,
    bootstrap_columns,
    bootstrap_mean,
    paired_bootstrap,
    paired_bootstrap_columns,
)
from coresift.ranking.list_metrics import METRIC_KINDS, ranking_metrics
from coresift.ranking.probability_metrics import CLICK_METRICS, calibration_curve, click_log_losses, click_metrics
from coresift.ranking.ragged import (
    Lists,
    list_lengths,
    list_rows,
    lists_from_rows,
    padded_lists,
    remove_seen_targets,
)
from coresift.ranking.top_k import top_items, top_items_from

__all__ = [
    "CLICK_METRICS",
    "METRIC_KINDS",
    "Lists",
    "PairedDifference",
    "bootstrap_columns",
    "bootstrap_mean",
    "calibration_curve",
    "click_log_losses",
    "click_metrics",
    "list_lengths",
    "list_rows",
    "lists_from_rows",
    "padded_lists",
    "paired_bootstrap",
    "paired_bootstrap_columns",
    "ranking_metrics",
    "remove_seen_targets",
    "top_items",
    "top_items_from",
]
