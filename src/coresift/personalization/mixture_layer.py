"""The adapted layer: a base layer plus a mixture of small LoRAs with shares of its own for every sample."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any

import torch
from peft.tuners.lora.layer import Linear as LoraLinear
from torch import Tensor, nn

from coresift.personalization.gate_networks import Gates
from coresift.personalization.mixture_options import RecLoraConfig
from coresift.personalization.state_binding import StateBinding, row_groups


class MixtureLinear(LoraLinear):
    """A LoRA layer of peft of rank m * r whose blocks of r rows are mixed per sample (RecLoRA, arXiv 2408.03533).

    With A (m r, d_in), B (d_out, m r), shares a (B, m) and the scale s = lora_alpha / r, the update of sample b is

    * ``output``: s * sum_k a_bk B_k A_k x
    * ``weight``: s * (sum_k a_bk B_k) (sum_k a_bk A_k) x

    The base layer is only called, so it may be quantized.
    """

    def join(self, config: RecLoraConfig, gates: Gates, binding: StateBinding, *, module: int, adapter: str) -> None:
        """Tell the layer its place in the mixture.

        Args:
            config: Shape of the mixture.
            gates: The gates of all layers.
            binding: Where the states of the samples at hand are found.
            module: Position of this layer.
            adapter: Name of peft's adapter that is the bank; any other is an ordinary LoRA.
        """
        self.mixture = config
        # peft's layers own their parameters; the gates belong to the model and are only referred to here.
        object.__setattr__(self, "gates", gates)
        self.binding = binding
        self.module_index = module
        self.bank = adapter

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:  # noqa: ANN401 - as peft has it
        """Return the base layer's output plus the mixture's."""
        if self.disable_adapters or self.active_adapters != [self.bank] or kwargs.get("adapter_names") is not None:
            return super().forward(x, *args, **kwargs)
        result = self.base_layer(x, *args, **kwargs)
        return result + self._update(x).to(result.dtype)

    def merge(self, safe_merge: bool = False, adapter_names: list[str] | None = None) -> None:
        """Refuse: a mixture has as many weights as users.

        Raises:
            ValueError: Always.
        """
        raise ValueError("a personalised adapter cannot be merged: export the LoRA of one user or cluster instead")

    def shares(self) -> Tensor:
        """Return the factors (B, m) of the samples at hand; (1, m) where none has a state."""
        shares = self.gates(self.binding.current(training=self.training), self.module_index)
        if self.mixture.square_root:
            shares = shares.clamp(min=torch.finfo(shares.dtype).tiny).sqrt()
        return shares

    def _update(self, x: Tensor) -> Tensor:
        bank = self.lora_A[self.bank]
        x = self.lora_dropout[self.bank](self._cast_input_dtype(x, bank.weight.dtype))
        mixed = self._mixed_outputs if self.mixture.mix == "output" else self._mixed_weights
        return mixed(x, self.shares())

    def _mixed_outputs(self, x: Tensor, shares: Tensor) -> Tensor:
        inner = self.lora_A[self.bank](x)
        factors = (shares * self._scale).repeat_interleave(self.mixture.r, dim=1).unsqueeze(1)
        mixed = row_groups(inner, len(shares)) * factors.to(inner)
        return self.lora_B[self.bank](mixed.view_as(inner))

    def _mixed_weights(self, x: Tensor, shares: Tensor) -> Tensor:
        down, up = mixed_matrices(self.lora_A[self.bank].weight, self.lora_B[self.bank].weight, shares.to(x.device))
        rows = row_groups(x, len(shares))
        mixed = self._scale * (rows @ down.to(rows.dtype).mT) @ up.to(rows.dtype).mT
        return mixed.view(*x.shape[:-1], -1)

    @property
    def _scale(self) -> float:
        """Scale of one LoRA; peft's own is that of the whole bank."""
        return self.scaling[self.bank] * self.mixture.n_adapters


def mixed_matrices(bank_down: Tensor, bank_up: Tensor, shares: Tensor) -> tuple[Tensor, Tensor]:
    """Return A (B, r, d_in) and B (B, d_out, r), each averaged over the bank with shares (B, m)."""
    n_adapters = shares.shape[1]
    down = torch.einsum("bm,mrd->brd", shares, bank_down.view(n_adapters, -1, bank_down.shape[1]))
    up = torch.einsum("bm,omr->bor", shares, bank_up.view(len(bank_up), n_adapters, -1))
    return down, up


@contextmanager
def bind_states(model: nn.Module, states: Tensor | None) -> Iterator[None]:
    """Say which user every row of the next batches belongs to.

    The block encloses forward and backward, because gradient checkpointing computes parts of the forward pass again.
    Blocks may be nested; the inner one counts.

    Args:
        model: A model with personalized layers, wrapped or not.
        states: (B, state_dim), one row a sample; a row of NaN has no state. None mixes evenly for all. Batches have B
            rows or a multiple, in which each sample's rows follow one another (beams, candidates).

    Raises:
        ValueError: If the model has no personalized layer, or the states have another width.
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
