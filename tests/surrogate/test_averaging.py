"""The running mean of weights against its definition, also where an item's vector has a title's part."""

from __future__ import annotations

import pytest
import torch
from surrogate_world import N_ITEMS, World
from torch import nn
from torch.nn.utils import parametrize

from coresift.surrogate import surrogate_fingerprint, train_surrogate
from coresift.surrogate.training import running_mean


def follow(values: list[float], steps: float) -> float:
    """Return the mean after a weight has taken some values."""
    model = nn.Linear(1, 1, bias=False)
    average = running_mean(model, steps)
    for value in values:
        nn.init.constant_(model.weight, value)
        average.update_parameters(model)
    return float(average.module.weight.detach())


def test_the_first_steps_count_alike() -> None:
    assert follow([2.0, 4.0, 9.0], steps=10) == pytest.approx(5.0)


def test_later_ones_fade_at_the_rate_that_was_asked_for() -> None:
    assert follow([0.0] * 4 + [1.0, 1.0], steps=4) == pytest.approx(1 / 4 + 3 / 4 * 1 / 4)


@pytest.mark.parametrize("steps", [0.0, 1.0])
def test_without_a_horizon_the_latest_weights_stay(steps: float) -> None:
    assert follow([3.0, 8.0], steps) == 8.0


def test_a_title_part_is_averaged_too() -> None:
    class Doubled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.tensor(2.0))

        def forward(self, own: torch.Tensor) -> torch.Tensor:
            return own * self.scale

    model = nn.Embedding(3, 2)
    parametrize.register_parametrization(model, "weight", Doubled())
    average = running_mean(model, 5)
    for scale in (2.0, 4.0):
        nn.init.constant_(model.parametrizations["weight"][0].scale, scale)
        average.update_parameters(model)
    own = model.parametrizations["weight"].original
    assert torch.allclose(average.module.weight, 3 * own)


def test_training_keeps_the_mean_unless_told_otherwise(world: World, options: dict[str, float]) -> None:
    few = options | {"epochs": 2}
    mean, latest = (
        train_surrogate(world.interactions, world.samples, N_ITEMS, averaged_epochs=epochs, **few).model
        for epochs in (1.0, 0.0)
    )
    assert surrogate_fingerprint(mean) != surrogate_fingerprint(latest)
