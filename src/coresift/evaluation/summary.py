"""The short table that a run ends with."""

from __future__ import annotations

from typing import Any

from coresift.evaluation.labels import method_label


def metrics_summary_lines(metrics: dict[str, Any]) -> list[str]:
    """Return a table as text: method, recall@10 and ndcg@10 with their 95 % intervals, history masked.

    Args:
        metrics: the document of `evaluate_rankings`.
    """
    header = f"{'method':<18} {'recall@10':>9} {'95 % interval':>16} {'ndcg@10':>9} {'95 % interval':>16}"
    rows = [
        f"{method_label(row['method']):<18} {_cells(row['recall@10'])} {_cells(row['ndcg@10'])}"
        for row in metrics["rows"]
        if row["masked"]
    ]
    return [header, "-" * len(header), *rows, f"{metrics['users']:,} test users, full catalogue, history masked"]


def _cells(figure: dict[str, float]) -> str:
    interval = f"{figure['low']:.4f} - {figure['high']:.4f}"
    return f"{figure['mean']:>9.4f} {interval:>16}"
