"""The short table that a run ends with."""

from __future__ import annotations

from typing import Any

from coresift.evaluation.labels import method_label
from coresift.evaluation.views import main_rows, view_of


def metrics_summary_lines(metrics: dict[str, Any]) -> list[str]:
    """Return a table as text: every method with the two metrics that are compared and their 95 % intervals.

    Args:
        metrics: the document of `evaluate_rankings` or `evaluate_clicks`.
    """
    view, found = view_of(metrics), main_rows(metrics)
    width = max(len("method"), *(len(method_label(row["method"])) for row in found)) + 1
    first, second = view.compared
    header = f"{'method':<{width}} {first:>9} {'95 % interval':>16} {second:>9} {'95 % interval':>16}"
    rows = [f"{method_label(row['method']):<{width}} {_cells(row[first])} {_cells(row[second])}" for row in found]
    condition = "full catalogue, history masked" if view.masked else f"{metrics.get('impressions', 0):,} impressions"
    return [header, "-" * len(header), *rows, f"{metrics['users']:,} test users, {condition}"]


def _cells(figure: dict[str, float]) -> str:
    interval = f"{figure['low']:.4f} - {figure['high']:.4f}"
    return f"{figure['mean']:>9.4f} {interval:>16}"
