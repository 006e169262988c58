"""Fine-tuning and ranking with states: they travel by the sample's id, and items belong to no user."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
import torch
from mixture_cases import tiny_llama
from recommender_cases import items_table, prompts_table, small_base_model

from coresift.attribution import gradient_norms
from coresift.finetuning import FineTuningOptions, fine_tune
from coresift.personalization import RecLoraConfig, SampleStates, attach_reclora, split_gate_rate
from coresift.recommenders import AdapterOptions, build_recommender
from coresift.storage import Tensors

OPTIONS = FineTuningOptions(epochs=2, min_steps=1, batch_size=16, validation_samples=8)


def states_of(prompts, seed=0, surrogate="abc"):
    draw = torch.Generator().manual_seed(seed)
    sample_id = torch.tensor(prompts["sample_id"].to_pylist())[torch.randperm(len(prompts), generator=draw)]
    state = torch.randn(len(prompts), 6, generator=draw)
    return SampleStates(Tensors({"sample_id": sample_id, "state": state}, {"surrogate": surrogate}))


def personalized(base, states, **options):
    mixture = RecLoraConfig.for_states(states, n_adapters=3, **options)
    return build_recommender(
        "dense",
        base_model=base,
        items=items_table(),
        adapter=AdapterOptions(r=2, alpha=4, mixture=mixture),
        states=states,
        device="cpu",
    )


def tuned(tmp_path, name="one"):
    base, prompts = small_base_model(tmp_path / "base"), prompts_table(32)
    states = states_of(prompts)
    result = fine_tune(
        personalized(base, states), prompts, coreset=None, work_folder=tmp_path / name, options=OPTIONS, random_state=1
    )
    return base, prompts, states, result


def reloaded(base, folder, states=None):
    return build_recommender(
        "dense", base_model=base, items=items_table(), adapter_folder=folder, states=states, device="cpu"
    )


def test_a_tuned_mixture_ranks_by_the_states_of_its_samples(tmp_path):
    base, prompts, states, result = tuned(tmp_path)
    recommender = reloaded(base, result.folder, states)
    scores = recommender.prompt_vectors(prompts)
    reversed_rows = recommender.prompt_vectors(prompts.take(list(range(len(prompts)))[::-1]))
    torch.testing.assert_close(reversed_rows.flip(0), scores, rtol=1e-4, atol=1e-5)
    uniform = reloaded(base, result.folder).prompt_vectors(prompts)
    assert (uniform - scores).abs().max() > 1e-4
    items = recommender.item_vectors()
    torch.testing.assert_close(items, reloaded(base, result.folder).item_vectors())


def test_the_log_tells_how_the_gates_divide_the_users(tmp_path):
    _, _, _, result = tuned(tmp_path)
    first, last = result.log[0], result.log[-2]
    assert 0.9 < first["gate_entropy"] <= 1 and first["gate_usage_low"] <= 1 / 3 <= first["gate_usage_high"]
    assert last["gate_entropy"] < first["gate_entropy"]
    files = sorted(file.name for file in result.folder.iterdir())
    assert files == [
        "adapter_config.json",
        "adapter_model.safetensors",
        "reclora.json",
        "reclora_gates.safetensors",
        "recommender.json",
    ]
    facts = json.loads((result.folder / "reclora.json").read_text())
    assert (facts["surrogate"], facts["n_adapters"], facts["r"], facts["lora_alpha"]) == ("abc", 3, 2, 4)


def test_training_twice_gives_the_same_bytes(tmp_path):
    _, _, _, one = tuned(tmp_path, "one")
    _, _, _, two = tuned(tmp_path, "two")
    assert one.log == two.log
    for file in one.folder.iterdir():
        assert file.read_bytes() == (two.folder / file.name).read_bytes()


def test_a_killed_run_goes_on_with_its_bank_and_its_gates(tmp_path):
    base, prompts, states, result = tuned(tmp_path)
    expected = {file.name: file.read_bytes() for file in result.folder.iterdir()}
    shutil.rmtree(tmp_path / "one" / "finished")
    shutil.rmtree(tmp_path / "one" / "checkpoints" / "checkpoint-4")
    again = fine_tune(
        personalized(base, states), prompts, coreset=None, work_folder=tmp_path / "one", options=OPTIONS, random_state=1
    )
    assert {file.name: file.read_bytes() for file in again.folder.iterdir()} == expected
    assert again.log == result.log


def test_states_of_another_surrogate_are_refused_where_they_would_be_used(tmp_path):
    base, prompts, _, result = tuned(tmp_path)
    with pytest.raises(ValueError, match="read the states of surrogate abc, not of other"):
        reloaded(base, result.folder, states_of(prompts, surrogate="other"))


def test_gradient_norms_read_the_states_too(tmp_path):
    base, prompts = small_base_model(tmp_path / "base"), prompts_table(6)
    recommender = personalized(base, states_of(prompts))
    with torch.no_grad():
        for name, parameter in recommender.model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.3)
    own = gradient_norms(recommender.model, recommender.batches(prompts, 3), loss=recommender.sample_loss)
    recommender.states = states_of(prompts, seed=5)
    others = gradient_norms(recommender.model, recommender.batches(prompts, 3), loss=recommender.sample_loss)
    assert (own - others).abs().max() > 1e-5


def test_gates_learn_at_their_own_rate():
    model = attach_reclora(tiny_llama(), RecLoraConfig(gate_rate=7.0))
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-3)
    split_gate_rate(optimizer, model)
    bank, gates = optimizer.param_groups
    assert gates["lr"] == pytest.approx(7e-3) and bank["lr"] == pytest.approx(1e-3)
    assert {id(value) for value in gates["params"]} == {id(value) for value in model.gates.parameters()}
    assert len(bank["params"]) + len(gates["params"]) == len(trained)


def test_clear_errors(tmp_path):
    base, prompts = small_base_model(tmp_path / "base"), prompts_table(6)
    states = states_of(prompts)
    with pytest.raises(ValueError, match="no single merged model; set it to false"):
        fine_tune(
            personalized(base, states),
            prompts,
            coreset=None,
            work_folder=tmp_path,
            options=replace(OPTIONS, merge=True),
        )
    with pytest.raises(ValueError, match=r"use_rslora and adapter.use_dora do not go with personalization"):
        build_recommender(
            "dense",
            base_model=base,
            items=items_table(),
            adapter=AdapterOptions(use_rslora=True, mixture=RecLoraConfig.for_states(states)),
        )
