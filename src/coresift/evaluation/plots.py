"""The plot of all methods with their intervals."""

from __future__ import annotations

from math import isnan
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from coresift.evaluation.summary import main_rows, method_title, view_of

TUNED, OTHER, INK, FAINT = "#0f766e", "#94a3b8", "#0f172a", "#e2e8f0"


def plot_intervals(metrics: dict[str, Any], names: tuple[str, ...] | None = None) -> Figure:
    """Draw mean and 95 % interval of every method, one panel per metric, highest first metric on top.

    Args:
        metrics: The document of `evaluate_rankings` or `evaluate_clicks`.
        names: Metrics to draw; by default those that are compared.
    """
    names, rows = names or view_of(metrics).compared, main_rows(metrics)
    rows.sort(key=lambda row: row[names[0]]["mean"])
    figure = Figure(figsize=(4.6 * len(names), 0.5 * len(rows) + 1.1), layout="constrained")
    panels = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for axes, name in zip(panels, names, strict=True):
        _draw_panel(axes, rows, name)
    panels[0].set_yticks(range(len(rows)), [method_title(row["method"]) for row in rows])
    return figure


def _draw_panel(axes: Axes, rows: list[dict[str, Any]], name: str) -> None:
    for height, row in enumerate(rows):
        figure = row[name]
        color = TUNED if row["method"] == "tuned" else OTHER
        axes.barh(height, figure["mean"], color=color, height=0.55, alpha=0.35, linewidth=0)
        axes.plot([figure["low"], figure["high"]], [height, height], color=color, linewidth=2.5)
        axes.plot(figure["mean"], height, "o", color=color, markersize=6)
    right = max((row[name]["high"] for row in rows if not isnan(row[name]["high"])), default=0.0)
    axes.set_xlim(0, right * 1.25 or 1.0)
    for height, row in enumerate(rows):
        axes.text(row[name]["high"] + right * 0.03, height, f"{row[name]['mean']:.4f}", va="center", fontsize=9)
    axes.set_title(name, loc="left", fontsize=11, fontweight="bold", color=INK)
    axes.grid(axis="x", color=FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="both", length=0, labelsize=9)
