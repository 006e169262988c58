"""From token states to one unit vector per text."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

POOLINGS = ("mean", "last")


def pooled_unit_vectors(states: Tensor, attention_mask: Tensor, pooling: str) -> Tensor:
    """Pool like :func:`pooled_states` and scale the result to unit length."""
    return functional.normalize(pooled_states(states, attention_mask, pooling), dim=-1)


def pooled_states(states: Tensor, attention_mask: Tensor, pooling: str) -> Tensor:
    """Pool the last hidden states of real tokens.

    Args:
        states: (B, T, d) last hidden states.
        attention_mask: (B, T), 1 at real tokens, padded on either side.
        pooling: ``mean`` of the real tokens, or the ``last`` real token.

    Returns:
        (B, d) float32 vectors.

    Raises:
        ValueError: If the pooling is unknown.
    """
    if pooling == "mean":
        mask = attention_mask.unsqueeze(-1).float()
        return (states.float() * mask).sum(1) / mask.sum(1).clamp(min=1.0)
    if pooling == "last":
        positions = torch.arange(attention_mask.shape[1], device=attention_mask.device)
        last = (positions * attention_mask).argmax(1)
        return states[torch.arange(len(states), device=states.device), last].float()
    raise ValueError(f"pooling is '{pooling}': use one of {', '.join(POOLINGS)}")
