"""A mixture as files: whole for our loader, the uniform gate for peft's."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from mixture_cases import logits, mixture, some_states, some_tokens, tiny_llama
from peft import PeftModel

from coresift.personalization import check_surrogate, load_reclora, saved_config


@pytest.mark.parametrize("gate", ["per_module", "shared_trunk", "shared"])
@pytest.mark.parametrize("mix", ["output", "weight"])
def test_our_loader_gives_the_same_model_back(tmp_path, mix, gate):
    model = mixture(mix=mix, gate=gate, target_modules=["v_proj", "q_proj"])
    model.save_pretrained(str(tmp_path))
    loaded = load_reclora(tiny_llama(), tmp_path).eval()
    assert torch.equal(logits(loaded, some_tokens(), some_states()), logits(model, some_tokens(), some_states()))
    assert replace(loaded.reclora, target_modules=None) == replace(model.reclora, target_modules=None)
    assert all(value.requires_grad for name, value in loaded.named_parameters() if "lora_" in name)
    assert not list(tmp_path.glob("*.bin")) and not list(tmp_path.glob("*.pt"))


def test_stock_peft_reads_the_bank_as_the_uniform_gate(tmp_path):
    model = mixture()
    model.save_pretrained(str(tmp_path))
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], config["peft_type"]) == (6, 8, "LORA")
    stock = PeftModel.from_pretrained(tiny_llama(), str(tmp_path)).eval()
    tokens = some_tokens()
    torch.testing.assert_close(logits(stock, tokens), logits(model, tokens), rtol=1e-5, atol=1e-5)
    merged = stock.merge_and_unload()
    torch.testing.assert_close(logits(merged, tokens), logits(model, tokens), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("options", [{"mix": "weight"}, {"square_root": True}])
def test_stock_peft_refuses_what_it_would_misread(tmp_path, options):
    model = mixture(**options)
    model.save_pretrained(str(tmp_path))
    with pytest.raises(KeyError, match=r"load it with coresift\.personalization\.load_reclora"):
        PeftModel.from_pretrained(tiny_llama(), str(tmp_path))
    loaded = load_reclora(tiny_llama(), tmp_path).eval()
    assert torch.equal(logits(loaded, some_tokens(), some_states()), logits(model, some_tokens(), some_states()))


def test_a_checkpoint_restores_bank_and_gates_in_place(tmp_path):
    model = mixture(mix="weight")
    before = logits(model, some_tokens(), some_states())
    model.save_pretrained(str(tmp_path))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1)
    assert (logits(model, some_tokens(), some_states()) - before).abs().max() > 1e-3
    model.load_adapter(str(tmp_path), "default", is_trainable=True)
    assert torch.equal(logits(model, some_tokens(), some_states()), before)


def test_states_of_another_surrogate_are_refused(tmp_path):
    model = mixture(surrogate="0123abc")
    model.save_pretrained(str(tmp_path))
    assert saved_config(tmp_path).surrogate == "0123abc"
    load_reclora(tiny_llama(), tmp_path, surrogate="0123abc")
    with pytest.raises(ValueError, match="read the states of surrogate 0123abc, not of 99: run the finetuning"):
        load_reclora(tiny_llama(), tmp_path, surrogate="99")
    check_surrogate(mixture().reclora, "99")


def test_clear_errors(tmp_path):
    with pytest.raises(ValueError, match=r"holds no personalised adapter: reclora.json is missing"):
        load_reclora(tiny_llama(), tmp_path)
    mixture(target_modules=["k_proj"]).save_pretrained(str(tmp_path))
    facts = json.loads((tmp_path / "reclora.json").read_text())
    (tmp_path / "reclora.json").write_text(json.dumps(facts | {"layers": facts["layers"][:1]}))
    with pytest.raises(ValueError, match="adapts other layers than this base model has"):
        load_reclora(tiny_llama(), tmp_path)
