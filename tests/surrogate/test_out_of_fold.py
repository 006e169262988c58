"""Out-of-fold states: aligned spaces, honest training rows, a residual that decides."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import torch
from click_world import N_ITEMS as CLICKED_ITEMS
from click_world import click_samples, profiles
from surrogate_world import N_ITEMS, World

from coresift.surrogate import (
    TrainedSurrogate,
    align_states,
    out_of_fold_states,
    surrogate_fingerprint,
    surrogate_states,
    train_click_surrogate,
    train_surrogate,
)

FEW = {"dimension": 16, "epochs": 3, "dropout": 0.1, "tokens_per_batch": 128, "learning_rate": 5e-3}


def rotation(dimension: int, seed: int) -> torch.Tensor:
    drawn = torch.randn(dimension, dimension, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.linalg.qr(drawn).Q


def test_a_rotated_and_shifted_space_is_brought_back() -> None:
    target = torch.randn(50, 6, generator=torch.Generator().manual_seed(0))
    source = (target.double() @ rotation(6, 1) + 3.0).float()
    alignment = align_states(source, target)
    assert alignment.residual < 1e-5
    assert torch.allclose(alignment(source), target, atol=1e-4)
    assert torch.allclose(alignment.rotation @ alignment.rotation.T, torch.eye(6, dtype=torch.float64), atol=1e-9)


def test_no_orthogonal_map_does_better() -> None:
    generator = torch.Generator().manual_seed(2)
    source, target = torch.randn(40, 5, generator=generator), torch.randn(40, 5, generator=generator)
    centered, wanted = (part.double() - part.double().mean(0) for part in (source, target))
    best = float((align_states(source, target)(source) - target).norm() / wanted.norm())
    others = [float((centered @ rotation(5, seed) - wanted).norm() / wanted.norm()) for seed in range(200)]
    assert best < min(others)


@pytest.mark.parametrize("count", [8, 20, 64, 200])
def test_spaces_that_share_nothing_leave_as_much_as_the_mean(count) -> None:
    generator = torch.Generator().manual_seed(3)
    source, target = torch.randn(count, 64, generator=generator), torch.randn(count, 64, generator=generator)
    assert align_states(source, target).residual > 0.95


def test_three_states_tell_nothing() -> None:
    assert align_states(torch.randn(3, 2), torch.randn(3, 2)).residual == float("inf")


@pytest.fixture(scope="module")
def folds(world: World, trained: TrainedSurrogate, tmp_path_factory: pytest.TempPathFactory):
    trainings: list[set[int]] = []

    def train(interactions: pa.Table, samples: pa.Table) -> TrainedSurrogate:
        trainings.append(set(interactions["user_id"].to_pylist()))
        assert set(samples["user_id"].to_pylist()) <= trainings[-1]
        return train_surrogate(interactions, samples, N_ITEMS, random_state=1, **FEW)

    folder = tmp_path_factory.mktemp("folds")
    make = partial(out_of_fold_states, trained.model, world.interactions, world.samples, train, folds=3, folder=folder)
    return make, trainings


def test_training_rows_come_from_surrogates_that_never_saw_the_user(
    folds, world: World, trained: TrainedSurrogate
) -> None:
    make, trainings = folds
    states, report = make(max_residual=10.0)
    own = surrogate_states(trained.model, world.samples)["state"]
    in_train = torch.from_numpy(np.array(pc.equal(world.samples["split"], 0)))
    assert report["used"] and len(report["residuals"]) == 3
    assert torch.equal(states["state"][~in_train], own[~in_train])
    assert not (states["state"][in_train] == own[in_train]).all(1).any()
    users = set(world.interactions["user_id"].to_pylist())
    left_out = [users - kept for kept in trainings]
    assert set.union(*left_out) == users
    assert sum(map(len, left_out)) == len(users)
    assert states.metadata == {
        "surrogate": surrogate_fingerprint(trained.model),
        "training_states": "out of fold, 3 folds",
    }


def test_finished_folds_are_not_trained_again_and_repeat(folds) -> None:
    make, trainings = folds
    first, second = make(max_residual=10.0)[0], make(max_residual=10.0)[0]
    assert len(trainings) == 3
    assert torch.equal(first["state"], second["state"])


def test_a_damaged_fold_is_trained_again(folds) -> None:
    make, trainings = folds
    expected = make(max_residual=10.0)[0]
    weights = make.keywords["folder"] / "fold-1" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-9])
    known = len(trainings)
    assert torch.equal(make(max_residual=10.0)[0]["state"], expected["state"])
    assert len(trainings) == known + 1


def test_above_the_residual_the_own_states_stay(folds, world: World, trained: TrainedSurrogate) -> None:
    make, _ = folds
    states, report = make(max_residual=1e-6)
    assert not report["used"]
    assert torch.equal(states["state"], surrogate_states(trained.model, world.samples)["state"])
    assert "training_states" not in states.metadata


def test_states_of_clicks_come_from_surrogates_that_never_saw_the_user(tmp_path: Path) -> None:
    samples, users = click_samples(), profiles()
    model = train_click_surrogate(samples, users, CLICKED_ITEMS, epochs=1).model
    trainings: list[set[int]] = []

    def train(interactions: pa.Table, part: pa.Table) -> TrainedSurrogate:
        trainings.append(set(part["user_id"].to_pylist()))
        return train_click_surrogate(part, users, CLICKED_ITEMS, epochs=1)

    states, report = out_of_fold_states(
        model, samples, samples, train, users=users, folds=2, max_residual=10.0, folder=tmp_path
    )
    own = surrogate_states(model, samples, users)
    in_train = torch.from_numpy(np.array(pc.equal(samples["split"], 0)))
    assert report["used"] and not trainings[0] & trainings[1]
    assert torch.equal(states["state"][~in_train], own["state"][~in_train])
    assert not (states["state"][in_train] == own["state"][in_train]).all(1).any()
    assert states.metadata == {**own.metadata, "training_states": "out of fold, 2 folds"}


def test_impossible_folds_are_refused(folds) -> None:
    make, _ = folds
    with pytest.raises(ValueError, match="1 folds do not divide 150 users"):
        make(folds=1, max_residual=1.0)
