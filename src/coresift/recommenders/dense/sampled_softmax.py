"""Cross-entropy of the target against a few sampled items instead of the whole catalogue."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def sampled_softmax(logits: Tensor, target_columns: Tensor, blocked: Tensor) -> Tensor:
    """Return the cross-entropy of every row's target among the candidates that are not blocked.

    Args:
        logits: (B, C) similarities divided by the temperature.
        target_columns: (B,) column of each row's target; never blocked.
        blocked: (B, C) true where a candidate is no negative of the row.

    Returns:
        (B,) float32 losses.
    """
    is_target = functional.one_hot(target_columns, logits.shape[1]).bool()
    kept = logits.float().masked_fill(blocked & ~is_target, -torch.inf)
    return functional.cross_entropy(kept, target_columns, reduction="none")


def in_history(candidates: Tensor, history: Tensor) -> Tensor:
    """Tell which candidates lie in each row's history.

    Args:
        candidates: (C,) item ids.
        history: (B, H) item ids, padded with -1.

    Returns:
        (B, C) booleans.
    """
    width = int(torch.cat([candidates, history.flatten()]).max()) + 2
    first_keys = torch.arange(len(history), device=history.device).unsqueeze(1) * width
    return torch.isin(first_keys + candidates + 1, first_keys + history + 1)
