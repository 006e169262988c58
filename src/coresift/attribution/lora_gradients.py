"""Norm of the gradient of every sample's loss with respect to the LoRA matrices, in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from coresift.attribution.linear_calls import LinearCalls, frozen, reject_packed
from coresift.attribution.lora_layers import lora_linears
from coresift.attribution.token_loss import mean_token_loss

SampleLoss = Callable[[Any, dict[str, Tensor]], Tensor]
"""Maps a model and a batch to unreduced losses (B,) that do not couple samples."""


def gradient_norms(
    model: nn.Module,
    batches: Iterable[dict[str, Tensor]],
    parameters: str = "lora",
    loss: SampleLoss | None = None,
) -> Tensor:
    """Return the L2 norm of the gradient of each sample's loss, the effort score of DEALRec and GORACS.

    One forward and one backward pass a batch: hooks on the LoRA layers form the small products gradient x input of
    every sample, which is cheaper than any Gram trick at LoRA's ranks. Dropout is off, sums are float32, the model
    comes back as it was. In a fresh adapter B is zero, so that A has no gradient and the norm is that of B alone.

    Args:
        model: A peft model with a LoRA adapter.
        batches: Padded batches (either side), one row a sample: ``input_ids``, ``attention_mask`` and ``labels``
            (-100 = not scored), or whatever ``loss`` reads.
        parameters: ``lora`` for all LoRA matrices; ``last_lora_b`` for the papers' single one, the value projection's
            B of the last (decoder self-attention) layer, below which no gradient is computed.
        loss: Maps model and batch to losses (B,) that do not couple samples. Default: mean token cross-entropy.

    Returns:
        (N,) float32 norms on the CPU, in the order of the batches.

    Raises:
        ValueError: If a batch is packed or flattened, the model has no such matrix, or a loss is not finite.
    """
    norms = _SquaredNorms(lora_linears(model, parameters))
    with frozen(model), norms.calls.watching():
        parts = [norms.of_batch(model, batch, loss or mean_token_loss) for batch in batches]
    return torch.cat(parts) if parts else torch.empty(0)


class _SquaredNorms:
    """Gradients of one batch, squared as soon as all calls of a layer have come back."""

    def __init__(self, layers: dict[str, nn.Linear]) -> None:
        self.calls = LinearCalls(layers, self._add)
        self._pending: dict[str, Tensor] = {}
        self._remaining: dict[str, int] = {}
        self._squares: list[Tensor] = []

    def of_batch(self, model: nn.Module, batch: dict[str, Tensor], loss: SampleLoss) -> Tensor:
        """Return the gradient norms (B,) of one batch's samples."""
        reject_packed(batch)
        self.calls.begin_batch()
        self._pending.clear()
        self._squares.clear()
        with torch.enable_grad():
            losses = loss(model, batch)
        check_losses(losses)
        self.calls.check_batch(len(losses))
        self._remaining = dict(self.calls.counts)
        losses.sum().backward()
        self._squares.extend(gradient.square().sum((1, 2)) for gradient in self._pending.values())
        return torch.stack(self._squares).sum(0).sqrt().cpu()

    def _add(self, name: str, inputs: Tensor, gradient: Tensor) -> None:
        product = torch.einsum("bto,bti->boi", gradient.float(), inputs.float())
        self._remaining[name] -= 1
        if name in self._pending:
            product += self._pending.pop(name)
        if self._remaining[name]:
            self._pending[name] = product
        else:
            self._squares.append(product.square().sum((1, 2)))


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
