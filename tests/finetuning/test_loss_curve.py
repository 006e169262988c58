from __future__ import annotations

import numpy as np

from coresift.finetuning import plot_loss_curve
from coresift.finetuning.loss_curve import _running_mean


def test_the_curve_shows_training_and_validation():
    log = [{"step": step, "loss": 5.0 / step} for step in range(1, 40)]
    log[9]["validation_loss"] = 3.0
    axes = plot_loss_curve(log).axes[0]
    assert [line.get_label().split(",")[0] for line in axes.get_lines()] == [
        "training",
        "training",
        "validation (fixed negatives)",
    ]
    np.testing.assert_allclose(axes.get_lines()[0].get_ydata(), [5.0 / step for step in range(1, 40)])


def test_the_running_mean_looks_back_only():
    values = np.arange(30.0)
    assert _running_mean(values)[[0, 1, 29]].tolist() == [0.0, 0.5, 28.0]


def test_an_empty_log_gives_an_empty_plot():
    assert not plot_loss_curve([]).axes[0].get_lines()
