"""What a short warm-up on the validation samples makes easier: the loss drop of every sample."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

Losses = Callable[[Tensor, Tensor], Tensor]
"""Maps states (B, d) and what they should predict (B,) to losses (B,)."""
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
    losses: Losses,
    *,
    random_state: int = 0,
) -> Tensor:
    """Return (loss before - loss after) / loss before (N,) of a warm-up on the validation samples.

    The normalized endpoint loss drop along a target-aligned path (Yang et al., 2026, arXiv 2605.09404). The trained
    surrogate is where the path starts. Its capacity is limited to a map of low rank added to the states; all other
    weights rest.

    Args:
        states: (N, d) of the samples that are scored.
        targets: (N,) what they should predict: next items, or labels.
        validation_states: (V, d).
        validation_targets: (V,) what they should predict.
        losses: The surrogate's loss as a function of states.
        random_state: Seed of the map and of the validation batches.
    """
    before = _in_blocks(losses, states, targets)
    shift = _warm_up(losses, validation_states, validation_targets, random_state)
    after = _in_blocks(losses, states + shift(states), targets)
    return (before - after) / before.clamp(min=torch.finfo(torch.float32).tiny)


def _warm_up(losses: Losses, states: Tensor, targets: Tensor, random_state: int) -> Callable[[Tensor], Tensor]:
    """Train the map, which starts at zero, for a few steps on batches of validation samples."""
    generator = torch.Generator().manual_seed(random_state)
    width, rank = states.shape[1], min(RANK, states.shape[1])
    down = (torch.randn(width, rank, generator=generator) / math.sqrt(width)).requires_grad_()
    up = torch.zeros(rank, width, requires_grad=True)
    optimizer = torch.optim.Adam([down, up], lr=LEARNING_RATE)
    for _ in range(STEPS):
        rows = torch.randperm(len(states), generator=generator)[:BATCH_SIZE]
        loss = losses(states[rows] + states[rows] @ down @ up, targets[rows]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    down, up = down.detach(), up.detach()
    return lambda rows: rows @ down @ up


@torch.no_grad()
def _in_blocks(losses: Losses, states: Tensor, targets: Tensor) -> Tensor:
    pairs = zip(states.split(ROWS_PER_BLOCK), targets.split(ROWS_PER_BLOCK), strict=True)
    return torch.cat([losses(block, wanted) for block, wanted in pairs])
