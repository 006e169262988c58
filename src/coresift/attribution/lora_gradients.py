"""Norms and projections of the gradient of every sample's loss with respect to the LoRA matrices."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from coresift.attribution.gradient_pass import gradient_batches
from coresift.attribution.lora_layers import chosen_linears, lora_linears
from coresift.attribution.loss_batches import Batch, SampleLoss
from coresift.attribution.projection import GradientProjection
from coresift.attribution.token_loss import mean_token_loss


def gradient_norms(
    model: nn.Module,
    batches: Iterable[Batch],
    parameters: str = "lora",
    loss: SampleLoss | None = None,
) -> Tensor:
    """Return the L2 norm of the gradient of each sample's loss, the effort score of DEALRec and GORACS.

    One forward and one backward pass a batch: hooks on the layers see input and output gradient of every position,
    from which the small products of LoRA are formed sample by sample; wide layers take the cheaper of product and
    ghost norm. The gradients of a weight that several layers hold are added before the norm is taken. Dropout is off,
    sums are float32, the model comes back as it was. In a fresh adapter B is zero, so that A has no gradient and the
    norm is that of B alone.

    Args:
        model: A peft model with a LoRA adapter; any model for ``linear``.
        batches: Padded batches (either side), one row a sample: ``input_ids``, ``attention_mask`` and ``labels``
            (-100 = not scored), or whatever ``loss`` reads. Tensors are moved to the model's device.
        parameters: ``lora`` for all LoRA matrices; ``last_lora_b`` for the papers' single one, the value projection's
            B of the last (decoder self-attention) layer, below which no gradient is computed; ``linear`` for the
            weights (not the biases) of all Linear layers of the model itself.
        loss: Maps model and batch to losses (B,) that do not couple samples. Default: mean token cross-entropy.

    Returns:
        (N,) float32 norms on the CPU, in the order of the batches.

    Raises:
        ValueError: If a batch is packed or flattened, the model has no such matrix, a loss is not finite, or a weight
            is also read outside of Linear layers, where its gradient cannot be told apart by samples.
    """
    layers = chosen_linears(model, parameters)
    parts = [part.norms for part in gradient_batches(model, batches, layers, loss or mean_token_loss)]
    return torch.cat(parts) if parts else torch.empty(0)


def gradient_features(
    model: nn.Module,
    batches: Iterable[Batch],
    dimensions: int = 512,
    parameters: str = "lora",
    loss: SampleLoss | None = None,
    random_state: int = 0,
) -> Tensor:
    """Return a seeded projection of the LoRA gradient of each sample's loss, scaled to unit length.

    The inner product of two rows approximates the cosine of the two gradients, the similarity that LESS (arXiv
    2402.04333) selects by; see :class:`~coresift.attribution.projection.GradientProjection`. A sample whose gradient
    is zero gets a row of zeros. The cost is that of :func:`gradient_norms` and a few small products.

    Args:
        model: A peft model with a LoRA adapter.
        batches: As for :func:`gradient_norms`.
        dimensions: Length k of a row; the error of a cosine is about 1 / sqrt(k).
        parameters: ``lora`` or ``last_lora_b``.
        loss: As for :func:`gradient_norms`.
        random_state: Seed of the projection.

    Returns:
        (N, k) float32 rows on the CPU, in the order of the batches.

    Raises:
        ValueError: As for :func:`gradient_norms`, or if dimensions is not positive.
    """
    layers = lora_linears(model, parameters)
    projection = GradientProjection(layers, dimensions, random_state=random_state)
    passes = gradient_batches(model, batches, layers, loss or mean_token_loss, projection)
    parts = [part.features for part in passes if part.features is not None]
    return torch.cat(parts) if parts else torch.empty(0, dimensions)
