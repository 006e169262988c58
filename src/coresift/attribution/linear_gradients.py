"""Gradients of sample losses with respect to one Linear layer's weight, without a loop over samples."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from coresift.attribution.layer_hooks import LinearCalls, frozen
from coresift.attribution.loss_batches import Batch, SampleLoss, check_losses, on_device_of
from coresift.attribution.shared_weights import weight_holders

Batches = Iterable[Batch]
Calls = list[tuple[Tensor, Tensor]]
"""What one batch did to a weight: per call its input (B, T, in) and the gradient of its output (B, T, out)."""


@dataclass(frozen=True)
class LinearProblem:
    """One Linear layer of a model, and the loss whose gradients are asked for.

    Attributes:
        model: Any torch module.
        name: Name of the layer in ``model.named_modules()``.
        loss: Maps model and batch to uncoupled losses (B,).
    """

    model: nn.Module
    name: str
    loss: SampleLoss

    @property
    def layer(self) -> nn.Linear:
        """The layer.

        Raises:
            ValueError: If the model has no Linear layer of this name.
        """
        modules = dict(self.model.named_modules())
        module = modules.get(self.name)
        if not isinstance(module, nn.Linear):
            linears = [name for name, candidate in modules.items() if isinstance(candidate, nn.Linear)]
            raise ValueError(f"the model has no Linear layer '{self.name}': choose from {', '.join(linears)}")
        return module

    @property
    def n_parameters(self) -> int:
        """Number of entries D of the weight."""
        return self.layer.weight.numel()

    def calls(self, batches: Batches) -> Iterator[Calls]:
        """Yield per batch every call of the layer, and of others that hold its weight, for the sum of the losses."""
        seen: Calls = []
        layers = {self.name: self.layer}
        calls = LinearCalls(self.model, layers, lambda _, inputs, gradient: seen.append((inputs, gradient)))
        for batch in batches:
            seen.clear()
            with frozen(self.model), calls.watching():
                calls.losses(self.loss, batch).sum().backward()
            yield list(seen)

    def hessian_product(self, batches: Batches, direction: Tensor) -> Tensor:
        """Return the Hessian of the mean loss times a direction (D,), in float64.

        The weight alone has gradients, so that the second derivative runs through what lies above the layer. It is
        taken under the math attention kernel, the only one that has one.
        """
        matrix = direction.to(self.layer.weight).view_as(self.layer.weight)
        total, count = torch.zeros(self.n_parameters, dtype=torch.float64), 0
        for gradient, n_samples in self._twice_differentiable(batches):
            (product,) = torch.autograd.grad((gradient * matrix).sum(), self.layer.weight)
            total += product.flatten().cpu().double()
            count += n_samples
        return total / max(count, 1)

    def hessian(self, batches: Batches) -> Tensor:
        """Return the Hessian (D, D) of the mean loss, in float64."""
        size = self.n_parameters
        total, count = torch.zeros(size, size, dtype=torch.float64), 0
        for gradient, n_samples in self._twice_differentiable(batches):
            for row, entry in enumerate(gradient.flatten()):
                (second,) = torch.autograd.grad(entry, self.layer.weight, retain_graph=True)
                total[row] += second.flatten().cpu().double()
            count += n_samples
        return (total + total.T) / (2 * max(count, 1))

    def _twice_differentiable(self, batches: Batches) -> Iterator[tuple[Tensor, int]]:
        weight = self.layer.weight
        holders = weight_holders(self.model, {self.name: self.layer})[self.name]
        if any(holder.layer.weight is not weight for holder in holders):
            raise ValueError(
                f"the weight of '{self.name}' is held by several parameters, of which no Hessian is measured: use "
                "curvature 'fisher'"
            )
        for batch in batches:
            with frozen(self.model), torch.enable_grad(), sdpa_kernel(SDPBackend.MATH), _needing_gradient(weight):
                losses = self.loss(self.model, on_device_of(self.model, batch))
                check_losses(losses)
                (gradient,) = torch.autograd.grad(losses.sum(), weight, create_graph=True)
                yield gradient, len(losses)


@contextmanager
def _needing_gradient(weight: Tensor) -> Iterator[None]:
    weight.requires_grad_(True)
    try:
        yield
    finally:
        weight.requires_grad_(False)


def sample_gradients(calls: Calls) -> Tensor:
    """Return the flattened gradient of every sample of a batch, (B, D)."""
    return sum_of([torch.einsum("bto,bti->boi", gradient, inputs).flatten(1) for inputs, gradient in calls])


def sample_products(calls: Calls, direction: Tensor) -> Tensor:
    """Return the inner product (B,) of every sample's gradient with a direction (D,), without the gradients."""
    return sum_of(
        [((gradient @ _matrix(direction, inputs, gradient)) * inputs).sum((1, 2)) for inputs, gradient in calls]
    )


def weighted_sum(calls: Calls, weights: Tensor) -> Tensor:
    """Return the sum (D,) of the samples' gradients times their weights (B,), without the gradients."""
    parts = [(gradient * weights[:, None, None]).flatten(0, 1).T @ inputs.flatten(0, 1) for inputs, gradient in calls]
    return sum_of(parts).flatten()


def mean_gradient(batches: Iterable[Calls], size: int) -> Tensor:
    """Return the gradient (D,) of the mean loss over all samples, in float64 on the CPU."""
    total, count = torch.zeros(size, dtype=torch.float64), 0
    for calls in batches:
        n_samples = len(calls[0][0])
        total += weighted_sum(calls, calls[0][1].new_ones(n_samples)).cpu().double()
        count += n_samples
    return total / max(count, 1)


def _matrix(direction: Tensor, inputs: Tensor, gradient: Tensor) -> Tensor:
    return direction.to(gradient).view(gradient.shape[2], inputs.shape[2])


def sum_of(parts: list[Tensor]) -> Tensor:
    """Add the tensors of a list that is not empty."""
    return torch.stack(parts).sum(0) if len(parts) > 1 else parts[0]


logger = logging.getLogger(__name__)

LARGEST_HELD = 2**30
"""Bytes up to which the calls of all batches stay in memory."""


class HeldCalls:
    """Every batch's calls of a layer, iterable again and again.

    The gradient of a sample is a sum of outer products, one a position, and a product with it needs no more than the
    two factors. Positions whose gradient is zero are dropped; in the last block of a model that predicts from one
    position, one is left, so that a sample costs in + out numbers instead of in x out. They are held in float64 on
    the CPU; where they are too many, every iteration computes them anew.

    Args:
        problem: Layer and loss.
        batches: Re-iterable batches.
    """

    def __init__(self, problem: LinearProblem, batches: Batches) -> None:
        self.problem = problem
        self.batches = batches
        self._held: list[Calls] | None = None
        self._too_many = False

    def __iter__(self) -> Iterator[Calls]:
        """Yield the calls of one batch after another."""
        if self._held is not None:
            yield from self._held
        elif self._too_many:
            yield from self.problem.calls(self.batches)
        else:
            yield from self._first_time()

    def _first_time(self) -> Iterator[Calls]:
        held: list[Calls] = []
        n_bytes = 0
        for calls in self.problem.calls(self.batches):
            if not self._too_many:
                calls = [with_gradient(inputs, gradient) for inputs, gradient in calls]
                held.append(calls)
                n_bytes += sum(tensor.nbytes for call in calls for tensor in call)
                self._too_many = n_bytes > LARGEST_HELD
                if self._too_many:
                    held.clear()
                    logger.info("Gradient factors need more than %d MB: computing them again.", LARGEST_HELD // 2**20)
            yield calls
        if not self._too_many:
            self._held = held


def with_gradient(inputs: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
    """Return input (B, K, in) and gradient (B, K, out) at the positions that have one, in float64 on the CPU.

    K is the largest number of such positions of a sample; others are filled up with positions of gradient zero.
    """
    used = gradient.abs().amax(2) > 0
    width = max(1, int(used.sum(1).max()))
    chosen = used.int().argsort(dim=1, descending=True, stable=True)[:, :width, None]
    kept = [tensor.gather(1, chosen.expand(-1, -1, tensor.shape[2])) for tensor in (inputs, gradient)]
    return kept[0].cpu().double(), kept[1].cpu().double()
