"""One forward and one backward pass a batch, and what they say about the gradient of every sample."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from coresift.attribution.layer_totals import LayerTotal, SmallProduct, empty_total
from coresift.attribution.linear_calls import LinearCalls, frozen, reject_packed
from coresift.attribution.projection import GradientProjection

SampleLoss = Callable[[Any, dict[str, Tensor]], Tensor]
"""Maps a model and a batch to unreduced losses (B,) that do not couple samples."""


@dataclass(frozen=True)
class BatchGradients:
    """What one batch gave, on the CPU.

    Attributes:
        norms: (B,) float32, norm of each sample's gradient.
        features: (B, k) float32 unit rows, the projected gradients; None without a projection.
    """

    norms: Tensor
    features: Tensor | None


def gradient_batches(
    model: nn.Module,
    batches: Iterable[dict[str, Tensor]],
    layers: dict[str, nn.Linear],
    loss: SampleLoss,
    projection: GradientProjection | None = None,
) -> Iterator[BatchGradients]:
    """Yield the gradient norms, and features where a projection is given, batch by batch.

    While batches are drawn, dropout is off and no weight needs a gradient; afterwards the model is as it was.

    Args:
        model: The model.
        batches: Padded batches, one row a sample.
        layers: The Linear layers whose weights are meant, by name.
        loss: Maps model and batch to uncoupled losses (B,).
        projection: Made for the same layers.

    Raises:
        ValueError: If a batch is packed or flattened, no layer takes part, or a loss is not finite.
    """
    meter = _GradientMeter(layers, projection)
    with frozen(model), meter.calls.watching():
        for batch in batches:
            yield meter.measure(model, batch, loss)


class _GradientMeter:
    """Gradients of one batch, reduced to what is asked for as soon as all calls of a layer have come back."""

    def __init__(self, layers: dict[str, nn.Linear], projection: GradientProjection | None) -> None:
        self.layers = layers
        self.projection = projection
        self.calls = LinearCalls(layers, self._add)
        self._pending: dict[str, LayerTotal] = {}
        self._remaining: dict[str, int] = {}
        self._squares: list[Tensor] = []
        self._features: list[Tensor] = []

    def measure(self, model: nn.Module, batch: dict[str, Tensor], loss: SampleLoss) -> BatchGradients:
        """Return what one batch gives."""
        reject_packed(batch)
        self.calls.begin_batch()
        for collected in (self._pending, self._squares, self._features):
            collected.clear()
        with torch.enable_grad():
            losses = loss(model, batch)
        check_losses(losses)
        self.calls.check_batch(len(losses))
        self._remaining = dict(self.calls.counts)
        losses.sum().backward()
        for name in list(self._pending):
            self._finish(name)
        return BatchGradients(torch.stack(self._squares).sum(0).sqrt().cpu(), self._unit_features())

    def _add(self, name: str, inputs: Tensor, gradient: Tensor) -> None:
        if name not in self._pending:
            n_positions = inputs.shape[1] * self.calls.counts[name]
            project = self.projection is not None
            self._pending[name] = SmallProduct() if project else empty_total(self.layers[name], n_positions)
        self._pending[name].add(inputs, gradient)
        self._remaining[name] -= 1
        if not self._remaining[name]:
            self._finish(name)

    def _finish(self, name: str) -> None:
        total = self._pending.pop(name)
        self._squares.append(total.squared_norms())
        if self.projection is not None and isinstance(total, SmallProduct):
            self._features.append(self.projection(name, total.product))

    def _unit_features(self) -> Tensor | None:
        return functional.normalize(torch.stack(self._features).sum(0), dim=1).cpu() if self._features else None


def check_losses(losses: Tensor) -> None:
    """Make sure that a loss function gave one finite loss a sample, with a graph behind it.

    Raises:
        ValueError: If it did not.
    """
    if losses.ndim != 1:
        raise ValueError(f"the loss has shape {tuple(losses.shape)}: return one unreduced loss a sample, (B,)")
    if not losses.requires_grad:
        raise ValueError("the loss does not depend on the chosen layers: check that it calls the model with gradients")
    if not losses.isfinite().all():
        raise ValueError("a sample's loss is not finite: check the batch for empty or overflowing samples")
