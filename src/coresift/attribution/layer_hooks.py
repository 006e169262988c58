"""Hooks that see what goes into a Linear layer and what gradient comes back, sample by sample.

The gradient of one sample's loss with respect to a weight is the sum over positions of an outer product: gradient of
the output times input. One batched forward and backward therefore holds the gradients of all samples, as long as the
layers see the samples as their first dimension. No weight needs a gradient of its own for this, so all are frozen and
the autograd graph begins at the first hooked layer: what lies below costs a forward pass without gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from coresift.attribution.loss_batches import Batch, SampleLoss, check_losses, on_device_of, reject_packed
from coresift.attribution.shared_weights import Holder, WeightReads, weight_holders

LayerGradient = Callable[[str, Tensor, Tensor], None]
"""Called in the backward pass with a layer's name, its input (B, T, in) and its output's gradient (B, T, out)."""


@contextmanager
def frozen(model: nn.Module) -> Iterator[None]:
    """Switch dropout and all weight gradients off, and restore both afterwards."""
    was_training = [(module, module.training) for module in model.modules()]
    needed_gradient = [parameter for parameter in model.parameters() if parameter.requires_grad]
    try:
        model.eval()
        for parameter in needed_gradient:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in needed_gradient:
            parameter.requires_grad_(True)
        for module, mode in was_training:
            module.training = mode


class LinearCalls:
    """Watch the weights of Linear layers through forward and backward passes.

    All layers that hold a weight are watched, and their calls reported under one name; what a layer with the transpose
    reports has input and gradient exchanged, which transposes their outer product. Calls made without gradients (for
    instance to embed fixed negatives) are ignored.

    Args:
        model: The model.
        layers: Linear layers by name, no two of which hold one weight.
        on_gradient: Called once for every call of a layer that takes part in the loss.

    Raises:
        ValueError: If a weight is computed from other parameters, or held in shapes that do not match.
    """

    def __init__(self, model: nn.Module, layers: dict[str, nn.Linear], on_gradient: LayerGradient) -> None:
        self.model = model
        self.layers = layers
        self.on_gradient = on_gradient
        self.holders = weight_holders(model, layers)
        self.counts: dict[str, int] = dict.fromkeys(layers, 0)
        self._first_dimensions: set[int] = set()
        self._reads: WeightReads | None = WeightReads(model, layers)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Attach the hooks for the length of a block."""
        with ExitStack() as stack:
            for name, holders in self.holders.items():
                for holder in holders:
                    handle = holder.layer.register_forward_hook(self._hook(name, holder), with_kwargs=True)
                    stack.enter_context(_removed_at_exit(handle))
            yield

    def losses(self, loss: SampleLoss, batch: Batch) -> Tensor:
        """Return the losses (B,) of a batch, with a graph whose backward pass reports the gradients.

        The first batch also shows whether a weight is read in a way that hooks cannot see.

        Raises:
            ValueError: If the batch is packed or flattened, no layer takes part, a loss is not finite, or a weight is
                also read outside of Linear layers.
        """
        reject_packed(batch)
        self.counts = dict.fromkeys(self.layers, 0)
        self._first_dimensions.clear()
        with torch.enable_grad(), self._reads or nullcontext():
            losses = loss(self.model, on_device_of(self.model, batch))
        check_losses(losses)
        self._check_rows(len(losses))
        if self._reads is not None:
            self._reads.check(self.counts)
            self._reads = None
        return losses

    def _check_rows(self, n_samples: int) -> None:
        if not any(self.counts.values()):
            raise ValueError(f"the loss never called {', '.join(self.layers)}: name a Linear layer that the loss uses")
        if self._first_dimensions != {n_samples}:
            seen = ", ".join(map(str, sorted(self._first_dimensions)))
            raise ValueError(
                f"layers saw {seen} rows for {n_samples} samples: gradients per sample need padded batches, one row "
                "a sample; do not pack or flatten them"
            )

    def _hook(self, name: str, holder: Holder) -> Callable[..., Tensor | None]:
        def after_forward(
            _: nn.Module, inputs: tuple[Tensor, ...], named: dict[str, Any], output: Tensor
        ) -> Tensor | None:
            if not torch.is_grad_enabled():
                return None
            self.counts[name] += 1
            self._first_dimensions.add(len(output))
            watched = output if output.requires_grad else output.detach().requires_grad_()
            data = (inputs[0] if inputs else named["input"]).detach()
            watched.register_hook(lambda gradient: self._report(name, holder, data, gradient))
            return watched

        return after_forward

    def _report(self, name: str, holder: Holder, data: Tensor, gradient: Tensor) -> None:
        inputs, gradients = _positions(data), _positions(gradient)
        if holder.is_transposed:
            inputs, gradients = gradients, inputs
        self.on_gradient(name, inputs, gradients)


def _positions(tensor: Tensor) -> Tensor:
    """View (B, d) as (B, 1, d) and (B, ..., d) as (B, T, d)."""
    return tensor.unsqueeze(1) if tensor.ndim == 2 else tensor.reshape(len(tensor), -1, tensor.shape[-1])


@contextmanager
def _removed_at_exit(handle: torch.utils.hooks.RemovableHandle) -> Iterator[None]:
    try:
        yield
    finally:
        handle.remove()
