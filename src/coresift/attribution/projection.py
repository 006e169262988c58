"""Random projections of sample gradients that keep inner products in expectation."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

FIRST_STEP_WIDTH = 4
"""Columns of the first step, over all layers, per dimension of the feature."""


class GradientProjection:
    """A linear map from the gradients of many Linear weights to one vector, made of random signs.

    Each layer's gradient (out, in) is shortened along its longer side by a matrix of signs, flattened, and mapped to
    the feature by a second one; the layers' images are added. Scaled as they are, both steps keep the squared norm in
    expectation, and with it every inner product (Achlioptas, 2003); the relative error of an inner product is about
    1 / sqrt(dimensions). One side at a time is the thrift of LoGra (arXiv 2405.13954): no matrix has as many rows as
    the model has parameters. A side that the first step would not shorten stays whole.

    Args:
        layers: The Linear layers, by name; their order counts.
        dimensions: Length k of the feature.
        random_state: Seed; equal layers, dimensions and seed give equal maps on every device.

    Raises:
        ValueError: If dimensions is not positive.
    """

    def __init__(self, layers: Mapping[str, nn.Linear], dimensions: int, *, random_state: int = 0) -> None:
        if dimensions < 1:
            raise ValueError(f"dimensions is {dimensions}: a gradient feature needs at least 1")
        self.dimensions = dimensions
        width = math.ceil(FIRST_STEP_WIDTH * dimensions / len(layers))
        self._steps: dict[str, tuple[Tensor | None, Tensor]] = {}
        for number, (name, layer) in enumerate(layers.items()):
            short, long = sorted(layer.weight.shape)
            generator = np.random.default_rng([random_state, number])
            first = _signs(generator, long, width).to(layer.weight.device) if width < long else None
            second = _signs(generator, short * min(width, long), dimensions).to(layer.weight.device)
            self._steps[name] = (first, second)

    def __call__(self, name: str, gradients: Tensor) -> Tensor:
        """Map the gradients (B, out, in) of one layer to their share (B, k) of the features."""
        first, second = self._steps[name]
        rows = gradients.mT if gradients.shape[1] > gradients.shape[2] else gradients
        shortened = rows if first is None else rows @ first
        return shortened.flatten(1) @ second


def _signs(generator: np.random.Generator, n_rows: int, n_columns: int) -> Tensor:
    """Return a float32 matrix of +-1 / sqrt(columns)."""
    bits = generator.integers(2, size=(n_rows, n_columns), dtype=np.int8)
    return torch.from_numpy(bits).float().mul_(2).sub_(1).div_(math.sqrt(n_columns))
