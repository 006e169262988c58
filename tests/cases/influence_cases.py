"""A sequence model small enough for dense linear algebra, and made samples for it."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


class SmallNetwork(nn.Module):
    """One attention between two Linears, so that second derivatives pass through attention."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 6)
        self.last = nn.Linear(6, 3)

    def forward(self, inputs):
        states = torch.tanh(self.first(inputs))
        mixed = functional.scaled_dot_product_attention(states, states, states)
        return self.last(states + mixed).mean(1)


def cross_entropy(model, batch):
    return functional.cross_entropy(model(batch["inputs"]), batch["label"], reduction="none")


def made_batches(sizes, seed):
    generator = torch.Generator().manual_seed(seed)
    return [
        {
            "inputs": torch.randn(size, 5, 4, generator=generator),
            "label": torch.randint(3, (size,), generator=generator),
        }
        for size in sizes
    ]


def waves(*shape, phase):
    """Numbers that need no random generator, so that they are the same in every version of every library."""
    count = torch.arange(torch.Size(shape).numel(), dtype=torch.float64)
    return torch.sin(count * 12.9898 + phase).mul(1.5).view(shape)


def wave_problem():
    """The network in float64, 24 training samples and 6 target samples, all fixed."""
    network = SmallNetwork().double()
    with torch.no_grad():
        for phase, parameter in enumerate(network.parameters()):
            parameter.copy_(waves(*parameter.shape, phase=phase))
    train = {"inputs": waves(24, 5, 4, phase=10.0), "label": torch.arange(24) * 7 % 3}
    target = {"inputs": waves(6, 5, 4, phase=20.0), "label": torch.arange(6) % 3}
    return network, train, target
