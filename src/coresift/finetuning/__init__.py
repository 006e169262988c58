"""One training loop that tunes a recommender's adapter on a coreset."""

from __future__ import annotations

from coresift.finetuning.loop import FineTuned, fine_tune, tune_adapter
from coresift.finetuning.loss_curve import plot_loss_curve
from coresift.finetuning.options import FineTuningOptions

__all__ = ["FineTuned", "FineTuningOptions", "fine_tune", "plot_loss_curve", "tune_adapter"]
