"""One training loop that tunes a recommender's adapter on a coreset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coresift.doors import opened_when_used

if TYPE_CHECKING:
    from coresift.finetuning.loop import FineTuned, fine_tune, tune_adapter
    from coresift.finetuning.loss_curve import plot_loss_curve
    from coresift.finetuning.options import FineTuningOptions
else:
    __getattr__ = opened_when_used(__name__)

__all__ = ["FineTuned", "FineTuningOptions", "fine_tune", "plot_loss_curve", "tune_adapter"]
