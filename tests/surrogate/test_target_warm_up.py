"""The loss drop of a warm-up on the validation samples."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import cross_entropy

from coresift.surrogate import target_warm_up
from coresift.surrogate.target_warm_up import target_loss_drops

GENERATOR = torch.Generator().manual_seed(0)
ITEMS = torch.randn(50, 8, generator=GENERATOR)
STATES = torch.randn(300, 8, generator=GENERATOR)
TURNED = STATES @ torch.linalg.qr(torch.randn(8, 8, generator=GENERATOR)).Q


def losses(states: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
    return cross_entropy(states @ ITEMS.T, items, reduction="none")


def following(states: torch.Tensor) -> torch.Tensor:
    """The items that a state would predict if it were turned the way the validation samples are."""
    return (states @ ITEMS.T).argmax(1)


def test_samples_that_follow_the_rule_of_validation_drop_most() -> None:
    same_rule, other_rule = following(TURNED[:100]), following(-TURNED[:100])
    drops = [
        target_loss_drops(STATES[:100], targets, STATES[100:], following(TURNED[100:]), losses)
        for targets in (same_rule, other_rule)
    ]
    assert drops[0].mean() > 0.1
    assert drops[1].mean() < -0.1


def test_the_drop_is_a_share_of_the_loss_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target_warm_up, "_warm_up", lambda *_: lambda rows: rows)
    targets = following(TURNED)
    before, after = (cross_entropy(factor * STATES @ ITEMS.T, targets, reduction="none") for factor in (1.0, 2.0))
    drops = target_loss_drops(STATES, targets, STATES, targets, losses)
    assert torch.allclose(drops, (before - after) / before, atol=1e-4)


def test_the_same_seed_gives_the_same_bits_and_disturbs_no_other_draw() -> None:
    given = (STATES[:100], following(STATES[:100]), STATES[100:], following(STATES[100:]), losses)
    state = torch.get_rng_state()
    first, second = target_loss_drops(*given), target_loss_drops(*given)
    assert torch.equal(first, second)
    assert torch.equal(state, torch.get_rng_state())
    assert not torch.equal(first, target_loss_drops(*given, random_state=1))
