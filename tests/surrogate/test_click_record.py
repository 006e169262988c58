"""What training saw of impressions: scores against autograd, and forgetting counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from click_world import N_ITEMS, click_samples, profiles

from coresift.storage import SCHEMAS
from coresift.surrogate import Din, DinConfig, din_states
from coresift.surrogate.click_record import ClickRecord, Clicks
from coresift.surrogate.din import profile_values


@pytest.fixture(scope="module")
def world():
    samples, users = click_samples(180), profiles()
    torch.manual_seed(0)
    model = Din(DinConfig(N_ITEMS, profile_values(users))).eval()
    parts = (Clicks.of(samples, users, model.config, split) for split in (0, 1))
    return samples, users, model, ClickRecord(*parts)


def test_scores_are_those_of_autograd_on_one_impression_at_a_time(world):
    samples, users, model, record = world
    table = record.table(model)
    assert table.schema == SCHEMAS["sample_scores"]
    train = samples.filter(np.asarray(samples["split"]) == 0)
    assert table["sample_id"].to_pylist() == train["sample_id"].to_pylist()
    states, _ = din_states(model, train, users)
    for row, label in enumerate(train["label"].to_pylist()[:20]):
        logit = model.output(states["state"][row])
        loss = F.binary_cross_entropy_with_logits(logit, torch.tensor([float(label)]))
        gradients = torch.autograd.grad(loss, list(model.output.parameters()))
        yes = logit.sigmoid().item()
        answers = np.array([1 - yes, yes]) - np.eye(2)[label]
        expected = {
            "loss": loss.item(),
            "el2n": np.linalg.norm(answers),
            "grand": torch.cat([part.flatten() for part in gradients]).norm().item(),
        }
        for name, value in expected.items():
            assert table[name][row].as_py() == pytest.approx(value, rel=1e-4)


def test_every_score_is_a_number(world):
    *_, model, record = world
    assert all(np.isfinite(record.table(model)[name]).all() for name in SCHEMAS["sample_scores"].names)


def test_a_right_answer_that_turns_wrong_is_forgotten(world):
    samples, users, model, _ = world
    record = ClickRecord(*(Clicks.of(samples, users, model.config, split) for split in (0, 1)))
    right = 2 * record.training.labels - 1
    epochs = [right, -right, right, -right]
    epochs[2] = torch.where(torch.arange(len(right)) < 5, right, -right)

    class Epoch:
        def __init__(self, logits):
            self.logits = logits

        def encode(self, _):
            return None, self.logits

    for logits in epochs:
        record.after_epoch(Epoch(logits))
    assert record.n_forgotten.tolist() == [2.0] * 5 + [1.0] * (len(right) - 5)
