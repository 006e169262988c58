"""Hooks that see what goes into a Linear layer and what gradient comes back, sample by sample.

The gradient of one sample's loss with respect to a weight is the sum over positions of an outer product: gradient of
the output times input. One batched forward and backward therefore holds the gradients of all samples, as long as the
layers see the samples as their first dimension. No weight needs a gradient of its own for this, so all are frozen and
the autograd graph begins at the first hooked layer: what lies below costs a forward pass without gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn

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
    """Watch Linear layers through forward and backward passes.

    Calls made without gradients (for instance to embed fixed negatives) are ignored.

    Args:
        layers: Linear layers by name.
        on_gradient: Called once for every call of a layer that takes part in the loss.
    """

    def __init__(self, layers: dict[str, nn.Linear], on_gradient: LayerGradient) -> None:
        self.layers = layers
        self.on_gradient = on_gradient
        self.counts: dict[str, int] = dict.fromkeys(layers, 0)
        self._first_dimensions: set[int] = set()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Attach the hooks for the length of a block."""
        with ExitStack() as stack:
            for name, layer in self.layers.items():
                stack.enter_context(_removed_at_exit(layer.register_forward_hook(self._hook(name))))
            yield

    def begin_batch(self) -> None:
        """Forget the calls of the batch before."""
        self.counts = dict.fromkeys(self.layers, 0)
        self._first_dimensions.clear()

    def check_batch(self, n_samples: int) -> None:
        """Make sure that the layers saw the samples one by one.

        Raises:
            ValueError: If no layer was called, or a layer saw another first dimension than the number of samples.
        """
        if not any(self.counts.values()):
            raise ValueError(f"the loss never called {', '.join(self.layers)}: name a Linear layer that the loss uses")
        if self._first_dimensions != {n_samples}:
            seen = ", ".join(map(str, sorted(self._first_dimensions)))
            raise ValueError(
                f"layers saw {seen} rows for {n_samples} samples: gradients per sample need padded batches, one row "
                "a sample; do not pack or flatten them"
            )

    def _hook(self, name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], Tensor | None]:
        def after_forward(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
            if not torch.is_grad_enabled():
                return None
            self.counts[name] += 1
            self._first_dimensions.add(len(output))
            watched = output if output.requires_grad else output.detach().requires_grad_()
            data = inputs[0].detach()
            watched.register_hook(lambda gradient: self.on_gradient(name, _positions(data), _positions(gradient)))
            return watched

        return after_forward


def _positions(tensor: Tensor) -> Tensor:
    """View (B, d) as (B, 1, d) and (B, ..., d) as (B, T, d)."""
    return tensor.unsqueeze(1) if tensor.ndim == 2 else tensor.reshape(len(tensor), -1, tensor.shape[-1])


@contextmanager
def _removed_at_exit(handle: torch.utils.hooks.RemovableHandle) -> Iterator[None]:
    try:
        yield
    finally:
        handle.remove()


def reject_packed(batch: dict[str, Tensor]) -> None:
    """Refuse a batch that holds several samples in one row.

    Raises:
        ValueError: If the batch carries sequence borders, or positions that start again within a row.
    """
    borders = [name for name in batch if name.startswith(("cu_seq", "seq_idx", "max_length_"))]
    positions = batch.get("position_ids")
    restarts = positions is not None and positions.ndim == 2 and _restarts(positions, batch.get("attention_mask"))
    if borders or restarts:
        what = ", ".join(borders) or "position_ids that restart within a row"
        raise ValueError(f"the batch is packed ({what}): pass padded batches, one row a sample")


def _restarts(positions: Tensor, attention_mask: Tensor | None) -> bool:
    falls = positions[:, 1:] < positions[:, :-1]
    if attention_mask is not None:
        real = attention_mask.bool()
        falls = falls & real[:, 1:] & real[:, :-1]
    return bool(falls.any())


def re_iterable(batches: Iterable[dict[str, Tensor]], what: str) -> Iterable[dict[str, Tensor]]:
    """Return the batches if they can be iterated more than once.

    Raises:
        ValueError: If they are an iterator.
    """
    if iter(batches) is batches:
        raise ValueError(f"{what} can be read only once: pass a list, or an object whose __iter__ starts anew")
    return batches
