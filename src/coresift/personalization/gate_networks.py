"""Gates: from a user's state to the shares of the bank's adapters."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from coresift.personalization.mixture_options import RecLoraConfig


class GateNetwork(nn.Module):
    """A small network with one or several heads, each giving a softmax over the adapters.

    Layer norm, a hidden layer with ReLU and dropout, then per head m logits, divided by the head's temperature
    (RecLoRA, arXiv 2408.03533; there with one head per network).

    Args:
        config: Shape of the mixture.
        n_heads: Layers this network serves with shares of their own.
    """

    def __init__(self, config: RecLoraConfig, n_heads: int) -> None:
        super().__init__()
        linear = config.gate_hidden == 0
        width = config.state_dim if linear else config.gate_hidden
        self.trunk = nn.Sequential() if linear else _hidden_layer(config)
        self.weight = nn.Parameter(torch.empty(n_heads, config.n_adapters, width))
        self.bias = None if linear else nn.Parameter(torch.zeros(n_heads, config.n_adapters))
        nn.init.uniform_(self.weight, -1 / math.sqrt(width), 1 / math.sqrt(width))
        start = torch.full((n_heads,), math.log(config.temperature))
        self.log_temperature = nn.Parameter(start, requires_grad=config.learn_temperature)

    def forward(self, states: Tensor, head: int) -> Tensor:
        """Return the shares (B, m) of one head for states (B, d)."""
        bias = None if self.bias is None else self.bias[head]
        logits = F.linear(self.trunk(states), self.weight[head], bias)
        return (logits.float() / self.log_temperature[head].exp()).softmax(-1)


def _hidden_layer(config: RecLoraConfig) -> nn.Sequential:
    return nn.Sequential(
        nn.LayerNorm(config.state_dim),
        nn.Linear(config.state_dim, config.gate_hidden),
        nn.ReLU(),
        nn.Dropout(config.gate_dropout),
    )


class Gates(nn.Module):
    """The gates of all adapted layers.

    Every adapted layer asks for its own shares within its own forward pass, so that a recomputation by gradient
    checkpointing repeats the gate too.

    Args:
        config: Shape of the mixture.
        n_modules: Number of adapted layers.

    Attributes:
        n_gates: Different shares that one user has: 1, or one per adapted layer.
    """

    def __init__(self, config: RecLoraConfig, n_modules: int) -> None:
        super().__init__()
        self.kind = config.gate
        self.n_adapters = config.n_adapters
        self.state_dim = config.state_dim
        self.n_modules = n_modules
        self.n_gates = 1 if config.gate == "shared" else n_modules
        heads = n_modules if config.gate == "shared_trunk" else 1
        networks = n_modules if config.gate == "per_module" else 1
        self.networks = nn.ModuleList(GateNetwork(config, heads) for _ in range(networks))

    def forward(self, states: Tensor | None, module: int) -> Tensor:
        """Return the shares of one adapted layer.

        Args:
            states: (B, d) user states; a row of NaN is a user without a state. None: no user has one.
            module: Position of the layer.

        Returns:
            (B, m) float32 shares, which sum to 1; equal where there is no state. (1, m) for None.
        """
        example = next(self.parameters())
        if states is None:
            return torch.full((1, self.n_adapters), 1 / self.n_adapters, device=example.device)
        states = states.to(device=example.device, dtype=example.dtype)
        known = ~states.isnan().any(1, keepdim=True)
        network = self.networks[module if self.kind == "per_module" else 0]
        with torch.autocast(states.device.type, enabled=False):
            shares = network(states.nan_to_num(), module if self.kind == "shared_trunk" else 0)
        return torch.where(known, shares, 1 / self.n_adapters)

    def all_shares(self, states: Tensor | None) -> Tensor:
        """Return the shares (B, n_modules, m) of every adapted layer; see `forward`."""
        return torch.stack([self(states, module) for module in range(self.n_modules)], dim=1)

    def temperatures(self) -> Tensor:
        """Return what divides the logits of every gate."""
        named = self.named_parameters()
        return torch.cat([value for name, value in named if name.endswith("log_temperature")]).exp()
