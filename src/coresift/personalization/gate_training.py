"""How fast gates learn, and what they have learnt."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.optim import Optimizer

from coresift.personalization.reclora_model import RecLoraModel


def split_gate_rate(optimizer: Optimizer, model: RecLoraModel) -> None:
    """Move the gates' parameters into groups of their own, which learn ``gate_rate`` times faster.

    Gates start near uniform and, on a coreset, have tens of steps to learn; at the bank's rate they stay there. Call it
    before a schedule is put on the optimizer.

    Args:
        optimizer: Holds the parameters of the model.
        model: The personalized model.
    """
    gates = {id(parameter) for parameter in model.gates.parameters()}
    for group in list(optimizer.param_groups):
        moved = [parameter for parameter in group["params"] if id(parameter) in gates]
        if moved:
            group["params"] = [parameter for parameter in group["params"] if id(parameter) not in gates]
            rate = group["lr"] * model.reclora.gate_rate
            optimizer.add_param_group({**group, "params": moved, "lr": rate})


@torch.no_grad()
def gate_statistics(model: RecLoraModel, states: Tensor | None) -> dict[str, float]:
    """Summarize the shares that a batch's users give to the bank's adapters.

    Args:
        model: The personalized model.
        states: (B, d), as for `bind_states`.

    Returns:
        ``gate_entropy``: mean entropy of a user's shares in a layer, divided by its largest value, so that 1 is the
        uniform gate; ``gate_usage_low`` and ``gate_usage_high``: mean share of the least and of the most used adapter,
        averaged over layers; ``gate_temperature``: mean over gates.
    """
    shares = model.gates.all_shares(states)
    largest = math.log(model.gates.n_adapters) or 1.0
    entropy = torch.special.entr(shares).sum(-1).mean() / largest
    usage = shares.mean(0)
    temperature = model.gates.temperatures().mean()
    return {
        "gate_entropy": float(entropy),
        "gate_usage_low": float(usage.min(1).values.mean()),
        "gate_usage_high": float(usage.max(1).values.mean()),
        "gate_temperature": float(temperature),
    }
