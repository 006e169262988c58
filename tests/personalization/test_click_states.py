"""Clicks with states: each row of a batch meets its own user, and the surrogate is a frozen reader."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from recommender_cases import clicks_table, items_table, small_base_model
from surrogate_world import N_ITEMS, make_world

from coresift.finetuning import FineTuningOptions, fine_tune
from coresift.personalization import RecLoraConfig, SampleStates
from coresift.recommenders import AdapterOptions, build_recommender
from coresift.storage import Tensors
from coresift.surrogate import SasRec, SasRecConfig, surrogate_states

STATE_DIM = 5


def states_of(clicks, seed=0):
    draw = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(clicks), generator=draw)
    sample_id = torch.tensor(clicks["sample_id"].to_pylist())[order]
    return SampleStates(Tensors({"sample_id": sample_id, "state": torch.randn(len(clicks), STATE_DIM, generator=draw)}))


def personalized(base, states, **mixture):
    options = RecLoraConfig.for_states(states, n_adapters=2, **mixture)
    recommender = build_recommender(
        "yes_no",
        base_model=base,
        items=items_table(),
        adapter=AdapterOptions(r=2, dropout=0.0, mixture=options),
        states=states,
        device="cpu",
    )
    with torch.no_grad():
        for name, parameter in recommender.model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.4, generator=torch.Generator().manual_seed(len(name)))
    return recommender


@pytest.mark.parametrize("kind", ["llama", "bert"])
def test_rows_of_text_and_states_stay_together_under_padding_and_sorting(tmp_path, kind):
    clicks = clicks_table(9)
    states = states_of(clicks)
    recommender = personalized(small_base_model(tmp_path / "base", kind), states)
    together = recommender.click_probabilities(clicks)
    alone = torch.cat([recommender.click_probabilities(clicks.slice(row, 1)) for row in range(len(clicks))])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)
    batch = next(iter(recommender.batches(clicks, len(clicks), shuffle=True, random_state=1)))
    labels = dict(zip(clicks["sample_id"].to_pylist(), clicks["label"].to_pylist(), strict=True))
    assert [labels[sample] for sample in batch["sample_id"].tolist()] == batch["label"].tolist()
    wanted = {int(sample): state for sample, state in zip(states.sample_id, states.state, strict=True)}
    expected = torch.stack([wanted[sample] for sample in batch["sample_id"].tolist()])
    assert torch.equal(states.of(batch["sample_id"]), expected)
    recommender.states = states_of(clicks, seed=1)
    assert (recommender.click_probabilities(clicks) - together).abs().max() > 1e-4


def test_an_encoder_s_answer_head_is_kept_with_bank_and_gates(tmp_path):
    clicks = clicks_table(16)
    states, base = states_of(clicks), small_base_model(tmp_path / "base", "bert")
    recommender = personalized(base, states)
    options = FineTuningOptions(epochs=1, min_steps=4, batch_size=8, validation_samples=0)
    tuned = fine_tune(recommender, clicks, coreset=None, work_folder=tmp_path / "work", options=options)
    loaded = build_recommender(
        "yes_no", base_model=base, items=items_table(), adapter_folder=tuned.folder, states=states, device="cpu"
    )
    assert torch.equal(loaded.click_probabilities(clicks), recommender.click_probabilities(clicks))


def test_the_surrogate_is_read_in_evaluation_mode_and_without_gradients():
    world = make_world(20)
    model = SasRec(SasRecConfig(N_ITEMS, dimension=16, dropout=0.5)).train()
    model.initialize(torch.Generator().manual_seed(0))
    one, two = (surrogate_states(model, world.samples) for _ in range(2))
    assert torch.equal(one["state"], two["state"]) and not one["state"].requires_grad
    assert model.training
    states = SampleStates(one)
    assert np.array_equal(states.sample_id, np.sort(world.samples["sample_id"]))
    assert states.surrogate == one.metadata["surrogate"]
