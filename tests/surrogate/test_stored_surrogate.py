"""Weights folder, states, item vectors and their fingerprint."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from click_world import N_ITEMS as CLICKED_ITEMS
from click_world import click_samples, profiles
from surrogate_world import N_ITEMS, World

from coresift.surrogate import (
    OF_IMPRESSIONS,
    TrainedSurrogate,
    din_states,
    item_vectors,
    load_surrogate,
    save_surrogate,
    surrogate_fingerprint,
    surrogate_states,
    train_click_surrogate,
)


def test_a_saved_surrogate_comes_back_the_same(trained: TrainedSurrogate, world: World, tmp_path: Path) -> None:
    loaded = load_surrogate(save_surrogate(trained.model, tmp_path / "weights"))
    assert sorted(file.name for file in (tmp_path / "weights").iterdir()) == ["config.json", "model.safetensors"]
    assert surrogate_fingerprint(loaded) == surrogate_fingerprint(trained.model)
    assert torch.equal(
        surrogate_states(loaded, world.samples)["state"], surrogate_states(trained.model, world.samples)["state"]
    )


def test_states_and_vectors_carry_ids_and_the_fingerprint(trained: TrainedSurrogate, world: World) -> None:
    states, vectors = surrogate_states(trained.model, world.samples), item_vectors(trained.model)
    assert states["sample_id"].tolist() == world.samples["sample_id"].to_pylist()
    assert states["state"].shape == (world.samples.num_rows, 16)
    assert vectors["item_id"].tolist() == list(range(N_ITEMS))
    assert states.metadata == vectors.metadata == {"surrogate": surrogate_fingerprint(trained.model)}


def test_scores_are_inner_products(trained: TrainedSurrogate, world: World) -> None:
    states, vectors = surrogate_states(trained.model, world.samples), item_vectors(trained.model)
    ranks = (states["state"] @ vectors["vector"].T).argsort(descending=True)
    first = torch.tensor([targets[0] for targets in world.samples["targets"].to_pylist()])
    assert float((ranks[:, :10] == first[:, None]).any(1).float().mean()) > 0.4


def test_a_saved_din_comes_back_the_same_and_says_what_its_states_are_of(tmp_path: Path) -> None:
    samples, users = click_samples(), profiles()
    model = train_click_surrogate(samples, users, CLICKED_ITEMS, epochs=1).model
    loaded = load_surrogate(save_surrogate(model, tmp_path / "weights"))
    assert sorted(file.name for file in (tmp_path / "weights").iterdir()) == ["config.json", "model.safetensors"]
    assert surrogate_fingerprint(loaded) == surrogate_fingerprint(model) and not loaded.training
    states, vectors = surrogate_states(loaded, samples, users), item_vectors(loaded)
    assert torch.equal(states["state"], din_states(model, samples, users)[0]["state"])
    assert states["sample_id"].tolist() == samples["sample_id"].to_pylist()
    assert states.metadata == {"surrogate": surrogate_fingerprint(model), **OF_IMPRESSIONS}
    assert vectors["vector"].shape == (CLICKED_ITEMS, 32) and vectors.metadata == {
        "surrogate": surrogate_fingerprint(model)
    }
    with pytest.raises(ValueError, match="pass the table users"):
        surrogate_states(loaded, samples)


def test_the_folder_names_the_model_and_one_that_names_none_is_sasrec(
    trained: TrainedSurrogate, tmp_path: Path
) -> None:
    file = save_surrogate(trained.model, tmp_path / "weights") / "config.json"
    config = json.loads(file.read_text())
    assert config.pop("model") == "sasrec"
    file.write_text(json.dumps(config))
    assert surrogate_fingerprint(load_surrogate(tmp_path / "weights")) == surrogate_fingerprint(trained.model)
    file.write_text(json.dumps(config | {"model": "gru"}))
    with pytest.raises(ValueError, match="unknown model 'gru': run the surrogate pipeline"):
        load_surrogate(tmp_path / "weights")


def test_a_folder_without_surrogate_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="run the surrogate pipeline"):
        load_surrogate(tmp_path)
