"""The loss over the steps of a training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

SMOOTHED_SHARE = 0.1
"""Width of the running mean as a share of all steps."""


def plot_loss_curve(log: Sequence[Mapping[str, float]]) -> Figure:
    """Plot training loss, its running mean and the validation loss over the steps.

    Args:
        log: Entries with ``step`` and ``loss`` or ``validation_loss``.
    """
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    trained = [(entry["step"], entry["loss"]) for entry in log if "loss" in entry]
    if trained:
        steps, losses = np.array(trained).T
        axes.plot(steps, losses, color="tab:blue", alpha=0.3, linewidth=1, label="training, each step")
        axes.plot(steps, _running_mean(losses), color="tab:blue", label="training, running mean")
    watched = [(entry["step"], entry["validation_loss"]) for entry in log if "validation_loss" in entry]
    if watched:
        axes.plot(*np.array(watched).T, "o-", color="tab:orange", label="validation (fixed negatives)")
    axes.set(xlabel="step", ylabel="loss (nats)", title="Fine-tuning")
    if trained or watched:
        axes.legend()
    return figure


def _running_mean(values: np.ndarray) -> np.ndarray:
    """Mean of each value and those just before it."""
    width = max(1, round(SMOOTHED_SHARE * len(values)))
    sums = np.concatenate([[0.0], np.cumsum(values)])
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - width)
    return (sums[ends] - sums[starts]) / (ends - starts)
