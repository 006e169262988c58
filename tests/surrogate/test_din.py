"""DIN: a plain loop agrees, padding changes nothing, and it learns what only history and target together tell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import torch
from sklearn.metrics import roc_auc_score

from coresift.storage import SCHEMAS
from coresift.surrogate import Din, DinConfig, DinOptions, din_states, train_din
from coresift.surrogate.din import click_features, profile_values

N_ITEMS = 12
SHORT = DinOptions(epochs=1)


def click_samples(count=600, seed=0):
    """Users like items of the parity that they rated highly."""
    draw = np.random.default_rng(seed)
    taste = draw.integers(2, size=count)
    histories = [draw.integers(N_ITEMS, size=draw.integers(1, 7)).tolist() for _ in range(count)]
    ratings = [
        [5.0 if item % 2 == liked else 1.0 for item in items] for items, liked in zip(histories, taste, strict=True)
    ]
    targets = draw.integers(N_ITEMS, size=count)
    split = np.repeat([0, 1, 2], [count * 2 // 3, count // 6, count - count * 2 // 3 - count // 6])
    columns = [
        range(count),
        draw.integers(30, size=count),
        histories,
        ratings,
        targets[:, None].tolist(),
        (targets % 2 == taste).astype(int),
        [None] * count,
        split,
    ]
    return pa.table(dict(zip(SCHEMAS["samples"].names, columns, strict=True)), schema=SCHEMAS["samples"])


def profiles(count=30):
    return pa.table(
        {
            "user_id": pa.array(range(count), pa.int32()),
            "raw_id": [str(user) for user in range(count)],
            "job": [["clerk", "nurse", None][user % 3] for user in range(count)],
            "zip": [str(10_000 + user) for user in range(count)],
        }
    )


def test_profile_columns_keep_the_values_that_users_share():
    assert profile_values(profiles()) == {"job": ["clerk", "nurse"]}
    assert profile_values(profiles(), most_values=1) == {"job": ["clerk"]}
    assert profile_values(profiles(), fewest_users=1)["zip"][:2] == ["10000", "10001"]


@torch.no_grad()
def test_the_model_equals_a_loop_over_its_history():
    samples, users = click_samples(24), profiles()
    torch.manual_seed(0)
    model = Din(DinConfig(N_ITEMS, profile_values(users), max_length=4)).eval()
    states, logits = model.encode(click_features(samples, users, model.config))
    for row, sample in enumerate(samples.to_pylist()):
        target = model.items.weight[sample["targets"][0]]
        interest = torch.zeros(32)
        pairs = list(zip(sample["history"], sample["history_ratings"], strict=True))[-4:]
        for item, rating in pairs:
            seen = model.seen(torch.cat([model.items.weight[item], torch.tensor([rating / 5, 1.0])]))
            interest += model.attention(torch.cat([target, seen, target - seen, target * seen])) * seen
        job = [0, 1, 2][{"clerk": 1, "nurse": 2, None: 0}[users["job"][sample["user_id"]].as_py()]]
        state = model.network(torch.cat([target, interest, model.columns[0].weight[job]]))
        torch.testing.assert_close(states[row], state, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(logits[row], model.output(state)[0], rtol=1e-4, atol=1e-5)


def test_it_learns_what_history_and_target_tell_together():
    samples, users = click_samples(2400), profiles()
    options = DinOptions(epochs=12, patience=12, batch_size=128, learning_rate=5e-3)
    model, metrics = train_din(samples, users, N_ITEMS, options=options)
    tested = samples.filter(pa.array(np.asarray(samples["split"]) == 2))
    states, logits = din_states(model, tested, users)
    assert roc_auc_score(tested["label"].to_pylist(), logits) > 0.95
    assert states["state"].shape == (len(tested), 64) and torch.equal(
        states["sample_id"], torch.tensor(tested["sample_id"].to_pylist())
    )
    assert not states["state"].requires_grad and not model.training
    best = metrics["best_epoch"]
    assert metrics["epochs"][best - 1]["auc"] == max(entry["auc"] for entry in metrics["epochs"])


def test_training_twice_gives_the_same_states_and_name():
    samples, users = click_samples(), profiles()
    one, two = (din_states(train_din(samples, users, N_ITEMS, options=SHORT)[0], samples, users)[0] for _ in range(2))
    assert torch.equal(one["state"], two["state"]) and one.metadata == two.metadata
    other = din_states(train_din(samples, users, N_ITEMS, options=SHORT, random_state=1)[0], samples, users)[0]
    assert other.metadata != one.metadata


def test_one_label_alone_is_refused():
    samples = click_samples()
    liked = samples.set_column(5, "label", pa.array([1] * len(samples), pa.int8()))
    with pytest.raises(ValueError, match="ingest samples of clicks"):
        train_din(liked, profiles(), N_ITEMS)


def test_training_ends_when_the_gain_has_not_come_back_for_as_long_as_was_said():
    options = replace(SHORT, epochs=40, patience=2)
    _, metrics = train_din(click_samples(), profiles(), N_ITEMS, options=options)
    areas = [entry["auc"] for entry in metrics["epochs"]]
    assert len(areas) == int(np.argmax(areas)) + 1 + 2
