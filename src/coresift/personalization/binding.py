"""Say whose samples a model is about to see."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any

from torch import Tensor, nn

from coresift.personalization.mixture_layer import MixtureLinear
from coresift.personalization.state_binding import StateBinding


@contextmanager
def bind_states(model: nn.Module, states: Tensor | None) -> Iterator[None]:
    """Say which user every row of the next batches belongs to.

    The block encloses forward and backward, because gradient checkpointing computes parts of the forward pass again.
    Blocks may be nested; the inner one counts.

    Args:
        model: A model with personalised layers, wrapped or not.
        states: (B, state_dim), one row a sample; a row of NaN has no state. None mixes evenly for all. Batches have B
            rows or a multiple, in which each sample's rows follow one another (beams, candidates).

    Raises:
        ValueError: If the model has no personalised layer, or the states have another width.
    """
    layers = [module for module in model.modules() if isinstance(module, MixtureLinear)]
    if not layers:
        raise ValueError("bind_states: the model is not personalised; attach_reclora makes it so")
    for layer in layers:
        _check_states(states, layer.gates.state_dim)
    bindings = {id(layer.binding): layer.binding for layer in layers}
    with ExitStack() as stack:
        for binding in bindings.values():
            _carry_through_checkpoints(model, binding)
            stack.enter_context(binding.set(states))
        yield


def _check_states(states: Tensor | None, width: int) -> None:
    if states is not None and (states.dim() != 2 or states.shape[1] != width):
        raise ValueError(
            f"bind_states: states have shape {tuple(states.shape)}, but the gates read (samples, {width}): use the "
            "surrogate that the adapter was trained with"
        )


def _carry_through_checkpoints(model: nn.Module, binding: StateBinding) -> None:
    """Let every checkpointed layer of transformers recompute with the states of its own forward pass.

    Without this, two forward passes with different states could not share one backward pass.
    """
    for module in model.modules():
        checkpoint = getattr(module, "_gradient_checkpointing_func", None)
        if checkpoint is not None and binding not in getattr(checkpoint, "bindings", ()):
            module._gradient_checkpointing_func = _carrying(checkpoint, binding)  # type: ignore[assignment]


def _carrying(checkpoint: Callable[..., Any], binding: StateBinding) -> Callable[..., Any]:
    @wraps(checkpoint)
    def carrying(function: Callable[..., Any], *args: Any, **options: Any) -> Any:  # noqa: ANN401 - passed on
        states, bound = binding.states, binding.bound

        def with_own_states(*inputs: Any) -> Any:  # noqa: ANN401 - passed on
            with binding.set(states, bound=bound):
                return function(*inputs)

        return checkpoint(with_own_states, *args, **options)

    carrying.bindings = (*getattr(checkpoint, "bindings", ()), binding)  # type: ignore[attr-defined]
    return carrying
