"""What DIN's training saw of every training impression: the columns of `sample_scores` for yes and no."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
import torch.nn.functional as F
from torch import Tensor

from coresift.storage import SCHEMAS
from coresift.surrogate.din import ClickFeatures, Din, DinConfig, click_features
from coresift.surrogate.target_warm_up import target_loss_drops


@dataclass(frozen=True)
class Clicks:
    """The impressions of one split.

    Attributes:
        sample_id: (N,).
        features: What the model reads of them.
        labels: (N,) float32, 1 where the item was liked.
    """

    sample_id: pa.ChunkedArray
    features: ClickFeatures
    labels: Tensor

    @classmethod
    def of(cls, samples: pa.Table, users: pa.Table, config: DinConfig, split: int) -> Clicks:
        """Read one split of the table `samples`."""
        part = samples.filter(pc.equal(samples["split"], split))
        labels = torch.from_numpy(np.array(part["label"], dtype=np.float32))
        return cls(part["sample_id"], click_features(part, users, config), labels)


class ClickRecord:
    """Follows every training impression through the epochs; the model is only read."""

    def __init__(self, training: Clicks, validation: Clicks) -> None:
        self.training = training
        self.validation = validation
        self.was_right = torch.zeros(len(training.labels), dtype=torch.bool)
        self.n_forgotten = torch.zeros(len(training.labels))

    def after_epoch(self, model: Din) -> None:
        """Record which impressions are wrong now and were right before.

        Args:
            model: The surrogate after an epoch.
        """
        right = (model.encode(self.training.features)[1] > 0) == (self.training.labels > 0)
        self.n_forgotten += self.was_right & ~right
        self.was_right = right

    def table(self, model: Din) -> pa.Table:
        """Return `sample_scores`, one row per training impression, with p the probability of its label y.

        Columns: loss, the cross-entropy of the label; el2n, the L2 norm of the predicted probabilities of both answers
        minus the label's, sqrt(2) |p - y|; grand, the L2 norm of the loss gradient with respect to weight and bias of
        the last layer, |p - y| times the length of the state and a 1; forgetting, how many epochs ended with the wrong
        answer after one with the right one; loss_drop, the share of the loss that a short warm-up on the validation
        impressions takes away (`target_loss_drops`). `TrainingRecord.table` names the papers.

        Args:
            model: The surrogate with its best weights.
        """
        states, logits = model.encode(self.training.features)
        error = (logits.sigmoid() - self.training.labels).abs()
        columns = {
            "loss": _losses(logits, self.training.labels),
            "el2n": math.sqrt(2) * error,
            "grand": error * (states.square().sum(1) + 1).sqrt(),
            "forgetting": self.n_forgotten,
            "loss_drop": self._loss_drop(model, states),
        }
        arrays = {name: pa.array(column.numpy(), pa.float32()) for name, column in columns.items()}
        return pa.table({"sample_id": self.training.sample_id, **arrays}, SCHEMAS["sample_scores"])

    def _loss_drop(self, model: Din, states: Tensor) -> Tensor:
        return target_loss_drops(
            states,
            self.training.labels,
            model.encode(self.validation.features)[0],
            self.validation.labels,
            lambda found, labels: _losses(model.logits_of(found), labels),
        )


def _losses(logits: Tensor, labels: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, labels, reduction="none")
