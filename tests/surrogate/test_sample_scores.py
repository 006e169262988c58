"""The table `sample_scores`: exact difficulty, forgetting, loss drop."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import torch
from surrogate_world import World

from coresift.storage import SCHEMAS
from coresift.surrogate import TrainedSurrogate
from coresift.surrogate.sample_scores import first_targets


def test_one_row_per_training_sample(world: World, trained: TrainedSurrogate) -> None:
    train = world.samples.filter(pc.equal(world.samples["split"], 0))
    assert trained.sample_scores.schema == SCHEMAS["sample_scores"]
    assert trained.sample_scores["sample_id"].to_pylist() == train["sample_id"].to_pylist()
    assert all(np.isfinite(column).all() for column in trained.sample_scores.to_pandas().to_numpy().T)


def test_difficulty_equals_autograd(world: World, trained: TrainedSurrogate) -> None:
    train = world.samples.filter(pc.equal(world.samples["split"], 0)).slice(0, 20)
    states = trained.model.encode(train["history"]).requires_grad_()
    targets = first_targets(train)
    logits = states @ trained.model.item_vectors.detach().T
    losses = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
    losses.sum().backward()
    error = logits.softmax(1) - torch.nn.functional.one_hot(targets, logits.shape[1])
    scores = trained.sample_scores.slice(0, 20)
    assert np.allclose(scores["loss"], losses.detach(), atol=1e-4)
    assert np.allclose(scores["el2n"], error.detach().norm(dim=1), atol=1e-4)
    assert np.allclose(scores["grand"], states.grad.norm(dim=1), atol=1e-4)


def test_forgetting_counts_epochs(trained: TrainedSurrogate) -> None:
    forgotten = trained.sample_scores["forgetting"].to_numpy()
    assert np.array_equal(forgotten, forgotten.round())
    assert 0 <= forgotten.min() <= forgotten.max() <= len(trained.metrics["epochs"]) / 2


def test_a_sample_without_target_is_refused(world: World) -> None:
    broken = world.samples.slice(0, 1).set_column(4, "targets", pa.array([[]], pa.list_(pa.int32())))
    with pytest.raises(ValueError, match="without a target"):
        first_targets(broken)
