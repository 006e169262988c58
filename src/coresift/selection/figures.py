"""Figures of a selection: how the objective came down, and where the coreset lies among all samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from coresift.compute import in_common_unit
from coresift.selection.candidate_pool import CandidatePool

INK, MUTED, GRID = "#1f2933", "#6b7785", "#e4e8ec"
POOL_COLOR, VALID_COLOR, CORESET_COLOR = "#c3cad2", "#2f6fb0", "#d1495b"
MAP_POINTS = 20_000


def descent_figure(diagnostics: dict[str, Any]) -> Figure:
    """Return the objective over time, above its proven lower bound.

    Args:
        diagnostics: Diagnostics of a fitted selector; "descent" lists (seconds, objective).

    Returns:
        The figure; a method without a descent gets one that says so.
    """
    figure, axes = _canvas("How the selection improved")
    descent = diagnostics.get("descent")
    if not descent:
        return _say(figure, axes, "This method chooses in one step: there is no descent to show.")
    seconds, objective = np.asarray(descent, dtype=np.float64).T
    axes.step(seconds, objective, where="post", color=CORESET_COLOR, linewidth=2)
    axes.plot(seconds, objective, "o", color=CORESET_COLOR, markersize=4)
    bound = diagnostics["lower_bound"]
    axes.axhline(bound, color=VALID_COLOR, linewidth=1.5, linestyle=(0, (5, 3)))
    _note(axes, f"no selection is below {bound:.4f}", (0.99, bound), VALID_COLOR, above=False)
    _note(axes, f"selected: {objective[-1]:.4f}", (0.99, objective[-1]), CORESET_COLOR, above=True)
    spread = max(objective.max() - bound, 1e-12)
    axes.set_ylim(bound - 0.12 * spread, objective.max() + 0.08 * spread)
    axes.set(xlabel="seconds", ylabel="transport cost to the validation samples")
    return figure


def coverage_figure(pool: CandidatePool, selected: NDArray[np.int64]) -> Figure:
    """Return a map of candidates, validation samples and coreset: the first two principal components of the embeddings.

    Args:
        pool: The candidates and their embeddings.
        selected: Positions of the coreset.

    Returns:
        The figure; at most 20,000 candidates are drawn, evenly spaced by id.
    """
    figure, axes = _canvas("Where the coreset lies")
    if pool.embedding is None or pool.validation_embedding is None:
        return _say(figure, axes, "There are no embeddings to draw a map of: run the attribution pipeline.")
    (train, valid), _ = in_common_unit(np.asarray(pool.embedding), np.asarray(pool.validation_embedding))
    drawn, drawn_valid = _evenly(len(train)), _evenly(len(valid))
    components = (
        PCA(2, svd_solver="full" if min(train.shape) < 3 else "covariance_eigh") if train.shape[1] > 1 else None
    )
    if components is None:
        return _say(figure, axes, "The embeddings have one dimension only: there is no map to draw.")
    components.fit(np.concatenate([train[drawn], valid[drawn_valid]]))
    layers = (
        (train[drawn], POOL_COLOR, 5, 0.55, f"{len(train):,} candidates"),
        (valid[drawn_valid], VALID_COLOR, 7, 0.45, f"{len(valid):,} validation samples"),
        (train[selected], CORESET_COLOR, 14, 0.9, f"{len(selected):,} selected"),
    )
    for points, color, size, alpha, label in layers:
        first, second = components.transform(points).T
        axes.scatter(first, second, s=size, c=color, alpha=alpha, label=label, linewidths=0, rasterized=True)
    _label_map(axes, components)
    return figure


def _label_map(axes: Axes, components: PCA) -> None:
    shares = components.explained_variance_ratio_
    axes.set(xlabel=f"first component ({shares[0]:.0%} of variance)", ylabel=f"second ({shares[1]:.0%})")
    axes.legend(loc="best", frameon=False, labelcolor=INK, markerscale=1.8)


def _canvas(title: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(8, 5), layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", color=INK, fontsize=13, fontweight="bold", pad=12)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=MUTED, length=0)
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.xaxis.label.set_color(MUTED)
    axes.yaxis.label.set_color(MUTED)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    return figure, axes


def _say(figure: Figure, axes: Axes, sentence: str) -> Figure:
    axes.set_axis_off()
    axes.text(0.5, 0.5, sentence, ha="center", va="center", color=MUTED, fontsize=11, transform=axes.transAxes)
    return figure


def _note(axes: Axes, text: str, place: tuple[float, float], color: str, *, above: bool) -> None:
    axes.annotate(
        text, place, xycoords=("axes fraction", "data"), xytext=(0, 4 if above else -4), textcoords="offset points",
        ha="right", va="bottom" if above else "top", color=color, fontsize=9,
    )  # fmt: skip


def _evenly(n_rows: int) -> NDArray[np.int64]:
    return np.linspace(0, n_rows - 1, min(n_rows, MAP_POINTS)).astype(np.int64)
