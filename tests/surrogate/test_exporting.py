"""Weights folder, states, item vectors and their fingerprint."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from surrogate_world import N_ITEMS, World

from coresift.surrogate import (
    TrainedSurrogate,
    item_vectors,
    load_surrogate,
    save_surrogate,
    surrogate_fingerprint,
    surrogate_states,
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


def test_a_folder_without_surrogate_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="run the surrogate pipeline"):
        load_surrogate(tmp_path)
