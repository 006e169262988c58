"""A first look at a corpus in one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from coresift.storage import SPLITS

_DAY = 86_400_000
"""Milliseconds; Matplotlib counts dates in days since 1970."""

_COLORS = ("tab:blue", "tab:orange", "tab:green")


def plot_corpus(report: Mapping[str, Any]) -> Figure:
    """Draw lengths of histories, popularity of items, cold items and coverage of time.

    Args:
        report: What ``ingest_to_files`` returned.
    """
    figure = Figure(figsize=(10, 7), layout="constrained")
    axes = figure.subplots(2, 2).flatten()
    counts = report["distributions"]
    _bars(axes[0], counts["users_by_length"], "users", "interactions of a user (from, powers of two)")
    axes[0].set_title("History lengths")
    _bars(axes[1], counts["items_by_popularity"], "items", "training interactions of an item (from)")
    axes[1].set_title("Popularity: 0 is unseen in training")
    _samples(axes[2], report)
    _time(axes[3], counts["interactions_by_time"])
    return figure


def _bars(axes: Axes, counts: Sequence[Mapping[str, int]], name: str, label: str) -> None:
    """Draw counts over powers of two."""
    axes.bar([str(row["from"]) for row in counts], [row[name] for row in counts], color=_COLORS[0])
    axes.set(xlabel=label, ylabel=name)
    axes.tick_params(axis="x", labelrotation=45)


def _samples(axes: Axes, report: Mapping[str, Any]) -> None:
    """Draw the samples of every split, and tell the share of cold items."""
    splits = report["splits"]
    axes.bar(list(splits), [part["samples"] for part in splits.values()], color=_COLORS)
    cold = report["cold_item_share_of_test"]
    told = "no test interactions" if cold is None else f"{cold:.1%} of test interactions have a cold item"
    axes.set(ylabel="samples", title=f"Samples; {told}")


def _time(axes: Axes, counts: Sequence[Mapping[str, int]]) -> None:
    """Draw interactions over time, by split."""
    for name, split in SPLITS.items():
        rows = [row for row in counts if row["split"] == split]
        days = [row["from"] / _DAY for row in rows]
        axes.plot(days, [row["interactions"] for row in rows], ".-", color=_COLORS[split], label=name)
    axes.set(ylabel="interactions per 30 days", title="Time" if counts else "Time: no timestamps")
    axes.tick_params(axis="x", labelrotation=30)
    if counts:
        axes.xaxis_date()
        axes.legend()
