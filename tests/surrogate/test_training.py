"""Training: learns the ring, repeats to the bit, keeps the best weights, refuses empty splits."""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc
import pytest
import torch
from surrogate_world import N_ITEMS, World

from coresift.surrogate import TrainedSurrogate, surrogate_fingerprint, train_surrogate


def test_it_learns_far_more_than_chance(trained: TrainedSurrogate) -> None:
    chance = 10 / N_ITEMS
    assert trained.metrics["validation"]["recall@10"] > 2 * chance


def test_the_best_epoch_is_kept(trained: TrainedSurrogate) -> None:
    scores = [epoch["ndcg@10"] for epoch in trained.metrics["epochs"]]
    assert trained.metrics["best_epoch"] == 1 + int(np.argmax(scores))
    assert trained.metrics["validation"]["ndcg@10"] == max(scores)


def test_a_run_repeats_to_the_bit_and_leaves_global_state_alone(world: World, options: dict[str, float]) -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    runs = [
        train_surrogate(world.interactions, world.samples, N_ITEMS, random_state=7, **(options | {"epochs": 2}))
        for _ in range(2)
    ]
    assert torch.equal(before, torch.random.get_rng_state())
    assert surrogate_fingerprint(runs[0].model) == surrogate_fingerprint(runs[1].model)
    assert runs[0].metrics == runs[1].metrics
    assert runs[0].sample_scores.equals(runs[1].sample_scores)


def test_sampled_negatives_learn_too(world: World, options: dict[str, float]) -> None:
    result = train_surrogate(
        world.interactions, world.samples, N_ITEMS, random_state=1, **(options | {"negatives": 20, "epochs": 12})
    )
    assert result.metrics["validation"]["recall@10"] > 1.5 * 10 / N_ITEMS


def test_validation_may_use_fewer_users(world: World, options: dict[str, float]) -> None:
    few = options | {"epochs": 1, "validation_users": 20}
    assert train_surrogate(world.interactions, world.samples, N_ITEMS, **few).metrics["validation_users"] == 20


def test_missing_validation_users_are_refused(world: World) -> None:
    without = world.samples.filter(pc.not_equal(world.samples["split"], 1))
    with pytest.raises(ValueError, match="no validation row"):
        train_surrogate(world.interactions, without, N_ITEMS)


def test_validation_targets_that_are_all_in_the_history_are_refused(world: World) -> None:
    place = world.samples.column_names.index("targets")
    circular = world.samples.set_column(place, "targets", world.samples["history"])
    with pytest.raises(ValueError, match="validation targets lie in"):
        train_surrogate(world.interactions, circular, N_ITEMS)


def test_unknown_options_are_refused(world: World) -> None:
    with pytest.raises(TypeError, match="layers"):
        train_surrogate(world.interactions, world.samples, N_ITEMS, layers=3)
