"""Cross-entropy over the catalogue: exact for small catalogues, estimated from shared random items for large ones."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

REFERENCE_ITEMS = 2048
"""Catalogues up to this size are compared with in full; of larger ones, so many items stand for the rest."""

POPULARITY_EXPONENT = 0.75
"""Damps the popularity by which training draws items, as word2vec does (arXiv 1310.4546)."""


def reference_items(n_items: int, count: int = REFERENCE_ITEMS) -> Tensor:
    """Return the ids that stand for the catalogue: all of a small one, else a fixed draw without replacement."""
    if n_items <= count:
        return torch.arange(n_items)
    return torch.randperm(n_items, generator=torch.Generator().manual_seed(0))[:count].sort().values


def exact_loss(states: Tensor, item_vectors: Tensor, targets: Tensor) -> Tensor:
    """Return the mean softmax cross-entropy over the whole catalogue, without holding all logits at once.

    Args:
        states: (B, d).
        item_vectors: (M, d).
        targets: (B,) item ids.
    """
    return F.linear_cross_entropy(states, item_vectors, targets, options=nn.LinearCrossEntropyOptions())


def sampled_losses(
    states: Tensor, item_vectors: Tensor, targets: Tensor, *, items: Tensor, log_counts: Tensor | float
) -> Tensor:
    """Return cross-entropies (B,) whose partition function is estimated from items shared by the whole batch.

    The target enters exactly; every sampled item stands for exp(-log_counts) items of the catalogue (the logQ
    correction), and a sampled item that is the target of a row is left out of that row.

    Args:
        states: (B, d).
        item_vectors: (M, d).
        targets: (B,) item ids.
        items: (C,) ids of sampled items.
        log_counts: Logarithm of how often each item was expected in the sample, (C,) or one number for all.
    """
    # F.embedding, unlike indexing, sums its gradients in a fixed order on several threads.
    positive = (states * F.embedding(targets, item_vectors)).sum(1)
    others = states @ F.embedding(items, item_vectors).T - log_counts
    others = others.masked_fill(items == targets[:, None], -torch.inf)
    return torch.logaddexp(positive, others.logsumexp(1)) - positive


def reference_losses(states: Tensor, item_vectors: Tensor, targets: Tensor) -> Tensor:
    """Return cross-entropies (B,) against the reference items; plain operations, so differentiable twice."""
    items = reference_items(len(item_vectors)).to(states.device)
    log_count = math.log(len(items) / len(item_vectors))
    return sampled_losses(states, item_vectors, targets, items=items, log_counts=log_count)


class CatalogueLoss:
    """The training loss: over the whole catalogue, or estimated from items drawn by damped popularity."""

    def __init__(self, counts: NDArray[np.int64], *, negatives: int | None, random_state: int) -> None:
        """Prepare the draws.

        Args:
            counts: How often every item is a training target, (M,).
            negatives: Items drawn per step, shared by the batch; None compares with the whole catalogue.
            random_state: Seed of the draws.
        """
        self.negatives = negatives
        weights = (counts + 1.0) ** POPULARITY_EXPONENT
        self.probability = torch.from_numpy(weights / weights.sum())
        self.log_counts = (self.probability * (negatives or 1)).log().float()
        self.generator = torch.Generator().manual_seed(random_state)

    def __call__(self, states: Tensor, item_vectors: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss of (B, d) states whose next items are `targets` (B,)."""
        if self.negatives is None:
            return exact_loss(states, item_vectors, targets)
        items = torch.multinomial(self.probability, self.negatives, replacement=True, generator=self.generator)
        log_counts = self.log_counts[items].to(states.device)
        losses = sampled_losses(states, item_vectors, targets, items=items.to(states.device), log_counts=log_counts)
        return losses.mean()
