"""The small world and a surrogate trained on it."""

from __future__ import annotations

import pytest
from surrogate_world import N_ITEMS, World, make_world

from coresift.surrogate import TrainedSurrogate, train_surrogate


@pytest.fixture(scope="session")
def world() -> World:
    return make_world()


@pytest.fixture(scope="session")
def options() -> dict[str, float]:
    return {"dimension": 16, "epochs": 25, "dropout": 0.1, "tokens_per_batch": 128, "learning_rate": 5e-3}


@pytest.fixture(scope="session")
def trained(world: World, options: dict[str, float]) -> TrainedSurrogate:
    return train_surrogate(world.interactions, world.samples, N_ITEMS, random_state=1, **options)
