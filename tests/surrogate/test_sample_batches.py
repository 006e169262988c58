"""Batches and losses for influence scores."""

from __future__ import annotations

import pyarrow.compute as pc
import torch
import torch.nn.functional as F
from surrogate_world import World
from torch.nn.attention import SDPBackend, sdpa_kernel

from coresift.surrogate import TrainedSurrogate, sample_losses, surrogate_batches
from coresift.surrogate.training_record import first_targets


def test_batches_keep_the_order_and_can_be_read_twice(world: World) -> None:
    batches = surrogate_batches(world.samples, batch_size=32, split=1)
    valid = world.samples.filter(pc.equal(world.samples["split"], 1))
    for _ in range(2):
        ids = torch.cat([batch["sample_id"] for batch in batches])
        assert ids.tolist() == valid["sample_id"].to_pylist()
    assert len(batches) == len(list(batches))


def test_losses_are_cross_entropy_whatever_the_batch(world: World, trained: TrainedSurrogate) -> None:
    train = world.samples.filter(pc.equal(world.samples["split"], 0))
    logits = trained.model.encode(train["history"]) @ trained.model.item_vectors.detach().T
    expected = F.cross_entropy(logits, first_targets(train), reduction="none")
    for batch_size in (7, 1000):
        batches = surrogate_batches(world.samples, batch_size=batch_size)
        losses = torch.cat([sample_losses(trained.model, batch) for batch in batches]).detach()
        assert torch.allclose(losses, expected, atol=1e-4)


def test_losses_can_be_differentiated_twice(world: World, trained: TrainedSurrogate) -> None:
    weight = trained.model.get_submodule(trained.model.influence_module).weight
    batch = next(iter(surrogate_batches(world.samples, batch_size=16)))
    with sdpa_kernel(SDPBackend.MATH):
        (gradient,) = torch.autograd.grad(sample_losses(trained.model, batch).mean(), weight, create_graph=True)
        (product,) = torch.autograd.grad((gradient * torch.ones_like(gradient)).sum(), weight)
    assert torch.isfinite(product).all()
    assert product.abs().sum() > 0
