"""A running mean of a model's weights, which ranks better than the weights of any single step.

Near the end of training the weights of single steps scatter around a good place; their exponential mean lies nearer to
it (Polyak and Juditsky, 1992; as it is used here: Morales-Brotons et al., 2024, arXiv 2411.18704).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

Weights = tuple[Tensor, ...] | list[Tensor]


def running_mean(model: nn.Module, steps: float) -> AveragedModel:
    """Return a copy of a model that follows it: call `update_parameters(model)` after every step, read `module`.

    The first steps count alike, so that the starting weights are soon forgotten.

    Args:
        model: whose parameters are averaged.
        steps: over how many of the latest steps, roughly; with 1 or less the copy holds the latest weights.
    """

    @torch.no_grad()
    def move(means: Weights, latest: Weights, n_averaged: Tensor | int) -> None:
        share = max(1 / (int(n_averaged) + 1), 1 / max(steps, 1.0))
        torch._foreach_lerp_(means, latest, share)

    return AveragedModel(model, multi_avg_fn=move)
