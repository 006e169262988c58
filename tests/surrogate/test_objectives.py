"""Losses: the chunked and the sampled ones against plain cross-entropy."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from coresift.surrogate.objectives import (
    CatalogueLoss,
    exact_loss,
    reference_items,
    reference_losses,
    sampled_losses,
)

GENERATOR = torch.Generator().manual_seed(0)
STATES = torch.randn(12, 8, generator=GENERATOR)
VECTORS = 0.3 * torch.randn(300, 8, generator=GENERATOR)
TARGETS = torch.randint(300, (12,), generator=GENERATOR)
PLAIN = F.cross_entropy(STATES @ VECTORS.T, TARGETS, reduction="none")


def test_exact_loss_and_its_gradient() -> None:
    states = STATES.clone().requires_grad_()
    loss = exact_loss(states, VECTORS, TARGETS)
    loss.backward()
    expected = STATES.clone().requires_grad_()
    F.cross_entropy(expected @ VECTORS.T, TARGETS).backward()
    assert torch.allclose(loss, PLAIN.mean())
    assert torch.allclose(states.grad, expected.grad, atol=1e-6)


def test_small_catalogues_are_referred_to_in_full() -> None:
    assert torch.allclose(reference_losses(STATES, VECTORS, TARGETS), PLAIN, atol=1e-5)


def test_large_catalogues_use_a_fixed_draw() -> None:
    items = reference_items(10_000, 64)
    assert len(set(items.tolist())) == 64
    assert torch.equal(items, reference_items(10_000, 64))


def test_a_fixed_draw_comes_close_to_the_whole_catalogue() -> None:
    generator = torch.Generator().manual_seed(1)
    vectors = 0.3 * torch.randn(8_000, 8, generator=generator)
    targets = torch.randint(8_000, (12,), generator=generator)
    plain = F.cross_entropy(STATES @ vectors.T, targets, reduction="none")
    losses = reference_losses(STATES, vectors, targets)
    assert torch.allclose(losses, plain, atol=0.15)
    alone = torch.cat([reference_losses(STATES[[row]], vectors, targets[[row]]) for row in range(12)])
    assert torch.allclose(losses, alone, atol=1e-5)


def test_the_sampled_partition_function_is_right_on_average() -> None:
    probability = torch.linspace(1, 3, 300)
    probability /= probability.sum()
    count = 20_000
    items = torch.multinomial(probability, count, replacement=True, generator=torch.Generator().manual_seed(2))
    log_counts = (probability * count).log()[items]
    losses = sampled_losses(STATES, VECTORS, TARGETS, items=items, log_counts=log_counts)
    assert torch.allclose(losses, PLAIN, atol=0.05)


def test_the_training_loss_is_exact_or_repeats_its_draws() -> None:
    counts = np.ones(300, dtype=np.int64)
    exact = CatalogueLoss(counts, negatives=None, random_state=0)(STATES, VECTORS, TARGETS)
    assert torch.allclose(exact, PLAIN.mean())
    first, second = (CatalogueLoss(counts, negatives=299, random_state=seed) for seed in (3, 3))
    assert torch.equal(first(STATES, VECTORS, TARGETS), second(STATES, VECTORS, TARGETS))
