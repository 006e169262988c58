"""What a short warm-up on the validation samples makes easier: the loss drop of every sample."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from coresift.surrogate.objectives import reference_losses

RANK = 8
STEPS = 30
BATCH_SIZE = 512
LEARNING_RATE = 0.01
ROWS_PER_BLOCK = 4096


def target_loss_drops(
    states: Tensor,
    targets: Tensor,
    validation_states: Tensor,
    validation_targets: Tensor,
    item_vectors: Tensor,
    *,
    random_state: int = 0,
) -> Tensor:
    """Return (loss before - loss after) / loss before (N,) of a warm-up on the validation samples.

    The normalised endpoint loss drop along a target-aligned path (Yang et al., 2026, arXiv 2605.09404). The trained
    surrogate is where the path starts. Its capacity is limited to a map of low rank added to the states; all other
    weights rest. Losses are cross-entropies against the reference items.

    Args:
        states: (N, d) of the samples that are scored.
        targets: (N,) their next items.
        validation_states: (V, d).
        validation_targets: (V,) their next items.
        item_vectors: (M, d).
        random_state: seed of the map and of the validation batches.
    """
    before = _losses(states, item_vectors, targets)
    shift = _warm_up(validation_states, validation_targets, item_vectors, random_state)
    after = _losses(states + shift(states), item_vectors, targets)
    return (before - after) / before.clamp(min=torch.finfo(torch.float32).tiny)


def _warm_up(
    states: Tensor, targets: Tensor, item_vectors: Tensor, random_state: int
) -> Callable[[Tensor], Tensor]:  # fmt: skip
    """Train the map, which starts at zero, for a few steps on batches of validation samples."""
    generator = torch.Generator().manual_seed(random_state)
    width, rank = states.shape[1], min(RANK, states.shape[1])
    down = (torch.randn(width, rank, generator=generator) / math.sqrt(width)).requires_grad_()
    up = torch.zeros(rank, width, requires_grad=True)
    optimizer = torch.optim.Adam([down, up], lr=LEARNING_RATE)
    for _ in range(STEPS):
        rows = torch.randperm(len(states), generator=generator)[:BATCH_SIZE]
        loss = reference_losses(states[rows] + states[rows] @ down @ up, item_vectors, targets[rows]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    down, up = down.detach(), up.detach()
    return lambda rows: rows @ down @ up


@torch.no_grad()
def _losses(states: Tensor, item_vectors: Tensor, targets: Tensor) -> Tensor:
    pairs = zip(states.split(ROWS_PER_BLOCK), targets.split(ROWS_PER_BLOCK), strict=True)
    return torch.cat([reference_losses(block, item_vectors, wanted) for block, wanted in pairs])
