"""The surrogate that fits the samples, trained with its own options."""

from __future__ import annotations

import pytest
import torch
from click_world import N_ITEMS as CLICKED_ITEMS
from click_world import click_samples, profiles
from surrogate_world import N_ITEMS, make_world

from coresift.surrogate import Din, SasRec, surrogate_kind, surrogate_trainer, train_click_surrogate, train_surrogate

OPTIONS = {
    "sasrec": {"dimension": 16, "epochs": 1, "item_text": "none"},
    "din": {"dimension": 8, "hidden": 12, "epochs": 1},
}


def test_auto_takes_din_for_clicks_and_sasrec_for_next_items():
    world, clicks = make_world(20), click_samples(60)
    assert surrogate_kind("auto", clicks) == "din"
    assert surrogate_kind("auto", world.samples) == surrogate_kind("sasrec", clicks) == "sasrec"
    assert surrogate_kind("din", world.samples) == "din"
    with pytest.raises(ValueError, match=r"surrogate\.model is 'dim': use auto, sasrec or din"):
        surrogate_kind("dim", clicks)


def test_each_kind_is_trained_with_its_own_options_as_its_own_function_trains_it():
    world, clicks, users = make_world(40), click_samples(), profiles()
    of_items = surrogate_trainer("auto", world.samples, users, N_ITEMS, options=OPTIONS, random_state=2)
    of_clicks = surrogate_trainer("auto", clicks, users, CLICKED_ITEMS, options=OPTIONS, random_state=2)
    found = [of_items(world.interactions, world.samples).model, of_clicks(world.interactions, clicks).model]
    assert isinstance(found[0], SasRec) and isinstance(found[1], Din)
    alone = [
        train_surrogate(world.interactions, world.samples, N_ITEMS, random_state=2, **OPTIONS["sasrec"]).model,
        train_click_surrogate(clicks, users, CLICKED_ITEMS, random_state=2, **OPTIONS["din"]).model,
    ]
    for one, other in zip(found, alone, strict=True):
        assert one.config == other.config
        assert all(torch.equal(value, other.state_dict()[name]) for name, value in one.state_dict().items())


def test_din_is_refused_samples_that_nobody_disliked():
    world = make_world(20)
    train = surrogate_trainer("din", world.samples, profiles(), N_ITEMS)
    with pytest.raises(ValueError, match="ingest samples of clicks"):
        train(world.interactions, world.samples)
