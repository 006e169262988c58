"""DIN: a plain loop agrees, padding changes nothing, and it learns what only history and target together tell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import torch
from click_world import N_ITEMS, click_samples, profiles
from sklearn.metrics import roc_auc_score

from coresift.surrogate import Din, DinConfig, DinOptions, din_states, train_click_surrogate, train_din
from coresift.surrogate.din import click_features, profile_values

SHORT = DinOptions(epochs=1)


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


@pytest.mark.parametrize(("split", "name"), [(0, "training"), (1, "validation")])
def test_one_label_alone_is_refused(split, name):
    samples = click_samples()
    label = pc.if_else(pc.equal(samples["split"], split), 1, samples["label"]).cast(pa.int8())
    with pytest.raises(ValueError, match=rf"the {name} samples are not both.*surrogate\.model to sasrec"):
        train_din(samples.set_column(5, "label", label), profiles(), N_ITEMS)


def test_unknown_ratings_read_the_same_whether_the_list_is_missing_or_its_entries():
    samples, users = click_samples(40), profiles()
    entries = [[None] * len(items) for items in samples["history"].to_pylist()]
    half = [row if place % 2 else None for place, row in enumerate(samples["history_ratings"].to_pylist())]
    kept = [row if place % 2 else entries[place] for place, row in enumerate(half)]
    config = DinConfig(N_ITEMS, profile_values(users))
    for missing, spelled in (([None] * 40, entries), (half, kept)):
        read = [
            click_features(
                samples.set_column(3, "history_ratings", pa.array(rows, pa.list_(pa.float32()))), users, config
            )
            for rows in (missing, spelled)
        ]
        assert torch.equal(read[0].rating, read[1].rating)
        assert not read[0].rating[0].any() and torch.equal(
            read[0].history, click_features(samples, users, config).history
        )


def test_one_call_trains_shapes_and_scores():
    samples, users = click_samples(), profiles()
    trained = train_click_surrogate(samples, users, N_ITEMS, epochs=2, hidden=12, dimension=6, batch_size=64)
    assert trained.model.config.hidden == 12 and trained.model.config.dimension == 6
    assert trained.metrics["model"] == "din" and len(trained.metrics["epochs"]) == len(trained.epoch_seconds) == 2
    best = trained.metrics["epochs"][trained.metrics["best_epoch"] - 1]
    assert trained.metrics["validation"] == {"auc": best["auc"], "log_loss": best["log_loss"]}
    valid = samples.filter(pc.equal(samples["split"], 1))
    logits = din_states(trained.model, valid, users)[1]
    assert roc_auc_score(valid["label"].to_pylist(), logits) == pytest.approx(best["auc"])


def test_training_ends_when_the_gain_has_not_come_back_for_as_long_as_was_said():
    options = replace(SHORT, epochs=40, patience=2)
    _, metrics = train_din(click_samples(), profiles(), N_ITEMS, options=options)
    areas = [entry["auc"] for entry in metrics["epochs"]]
    assert len(areas) == int(np.argmax(areas)) + 1 + 2
