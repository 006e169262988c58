"""A learning rate of their own for the gates."""

from __future__ import annotations

from torch.optim import Optimizer

from coresift.personalization.reclora_model import RecLoraModel


def split_gate_rate(optimizer: Optimizer, model: RecLoraModel) -> None:
    """Move the gates' parameters into groups of their own, which learn ``gate_rate`` times faster.

    Gates start near uniform and, on a coreset, have tens of steps to learn; at the bank's rate they stay there. Call it
    before a schedule is put on the optimiser.

    Args:
        optimizer: Holds the parameters of the model.
        model: The personalised model.
    """
    gates = {id(parameter) for parameter in model.gates.parameters()}
    for group in list(optimizer.param_groups):
        moved = [parameter for parameter in group["params"] if id(parameter) in gates]
        if moved:
            group["params"] = [parameter for parameter in group["params"] if id(parameter) not in gates]
            rate = group["lr"] * model.reclora.gate_rate
            optimizer.add_param_group({**group, "params": moved, "lr": rate})
