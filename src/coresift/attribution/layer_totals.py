"""Gradient of one Linear weight for every sample, summed over the layer's calls in a batch."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn


class LayerTotal(Protocol):
    """What a layer's calls add up to."""

    def add(self, inputs: Tensor, gradient: Tensor) -> None:
        """Take one call: its input (B, T, in) and the gradient of its output (B, T, out)."""

    def squared_norms(self) -> Tensor:
        """Squared norm (B,) of every sample's gradient."""


class SmallProduct:
    """The gradients themselves: the cheaper way where one side is short, as in LoRA.

    Attributes:
        product: Sum of gradient times input over positions and calls, (B, out, in) float32.
    """

    def __init__(self) -> None:
        self.product = torch.empty(0)

    def add(self, inputs: Tensor, gradient: Tensor) -> None:
        """Take one call."""
        product = torch.einsum("bto,bti->boi", gradient.float(), inputs.float())
        self.product = self.product.add_(product) if len(self.product) else product

    def squared_norms(self) -> Tensor:
        """Squared norm (B,) of every sample's gradient."""
        return self.product.square().sum((1, 2))


class GhostProduct:
    """Norms from inner products between positions (B, T, T), without the gradients: for wide layers.

    The squared norm of a sum of outer products is the sum over pairs of positions of the inner product of their
    inputs times that of their gradients (arXiv 1510.01799; for sequences arXiv 2110.05679).
    """

    def __init__(self) -> None:
        self._inputs: list[Tensor] = []
        self._gradients: list[Tensor] = []

    def add(self, inputs: Tensor, gradient: Tensor) -> None:
        """Take one call."""
        self._inputs.append(inputs.float())
        self._gradients.append(gradient.float())

    def squared_norms(self) -> Tensor:
        """Squared norm (B,) of every sample's gradient."""
        inputs, gradients = torch.cat(self._inputs, 1), torch.cat(self._gradients, 1)
        pairs = torch.bmm(inputs, inputs.mT) * torch.bmm(gradients, gradients.mT)
        return pairs.sum((1, 2)).clamp(min=0)


def empty_total(layer: nn.Linear, n_positions: int) -> LayerTotal:
    """Return the cheaper way for a layer that sees so many positions of a sample in a batch.

    A product costs positions x in x out, the ghost's two costs positions² x (in + out) (arXiv 2205.10683).
    """
    n_out, n_in = layer.weight.shape
    return GhostProduct() if n_positions * (n_out + n_in) < n_out * n_in else SmallProduct()
