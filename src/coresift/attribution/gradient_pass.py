"""One forward and one backward pass a batch, and what they say about the gradient of every sample."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from coresift.attribution.layer_hooks import LinearCalls, frozen
from coresift.attribution.layer_totals import LayerTotal, SmallProduct, empty_total
from coresift.attribution.loss_batches import Batch, SampleLoss
from coresift.attribution.projection import GradientProjection


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
    batches: Iterable[Batch],
    layers: dict[str, nn.Linear],
    loss: SampleLoss,
    projection: GradientProjection | None = None,
) -> Iterator[BatchGradients]:
    """Yield the gradient norms, and features where a projection is given, batch by batch.

    While batches are drawn, dropout is off and no weight needs a gradient; afterwards the model is as it was.

    Args:
        model: The model.
        batches: Padded batches, one row a sample.
        layers: The Linear layers whose weights are meant, by name; each weight once, whoever else holds it.
        loss: Maps model and batch to uncoupled losses (B,).
        projection: Made for the same layers.

    Raises:
        ValueError: If a batch is packed or flattened, no layer takes part, a loss is not finite, or a weight is also
            read outside of Linear layers.
    """
    meter = _GradientMeter(model, layers, projection)
    with frozen(model), meter.calls.watching():
        for batch in batches:
            yield meter.measure(batch, loss)


class _GradientMeter:
    """Gradients of one batch, reduced to what is asked for as soon as all calls of a layer have come back."""

    def __init__(self, model: nn.Module, layers: dict[str, nn.Linear], projection: GradientProjection | None) -> None:
        self.layers = layers
        self.projection = projection
        self.calls = LinearCalls(model, layers, self._add)
        self._pending: dict[str, LayerTotal] = {}
        self._remaining: dict[str, int] = {}
        self._squares: list[Tensor] = []
        self._features: list[Tensor] = []

    def measure(self, batch: Batch, loss: SampleLoss) -> BatchGradients:
        """Return what one batch gives."""
        for collected in (self._pending, self._squares, self._features):
            collected.clear()
        losses = self.calls.losses(loss, batch)
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
