"""A model with its adapter merged in answers as the adapted one, and so does what is read back from its folder."""

from __future__ import annotations

import pytest
import torch
from peft import TaskType
from safetensors import safe_open
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    OPTConfig,
    OPTForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)

from coresift.recommenders.adapters import attach_adapter, merged_model
from coresift.recommenders.options import AdapterOptions

BODY = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}


def llama(**options):
    return LlamaForCausalLM(LlamaConfig(**BODY, intermediate_size=16, tie_word_embeddings=True, **options))


def gpt2():
    return GPT2LMHeadModel(GPT2Config(vocab_size=50, n_positions=32, n_embd=16, n_layer=1, n_head=2))


def opt():
    return OPTForCausalLM(OPTConfig(**BODY, max_position_embeddings=32, ffn_dim=16, word_embed_proj_dim=16))


def t5():
    return T5ForConditionalGeneration(T5Config(vocab_size=50, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2))


def adapted(model, targets, **options):
    torch.manual_seed(0)
    tuned = attach_adapter(
        model.eval(), AdapterOptions(r=4, targets=targets, **options), random_state=0, task_type=TaskType.CAUSAL_LM
    )
    with torch.no_grad():
        for name, parameter in tuned.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.1)
    return tuned.eval()


@pytest.mark.parametrize("dora", [False, True])
@pytest.mark.parametrize("make", [llama, gpt2, opt])
@torch.no_grad()
def test_an_update_of_a_tied_head_leaves_the_embedding_alone(make, dora, tmp_path):
    tuned, tokens = adapted(make(), ["lm_head"], use_dora=dora), torch.arange(36).view(3, 12)
    expected = tuned(input_ids=tokens).logits
    with tuned.disable_adapter():
        assert (tuned(input_ids=tokens).logits - expected).abs().max() > 1e-2
    merged = merged_model(tuned)
    merged.save_pretrained(tmp_path)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    for model in (merged, loaded):
        torch.testing.assert_close(model(input_ids=tokens).logits, expected, rtol=1e-4, atol=1e-5)
    assert loaded.config.tie_word_embeddings is False
    with safe_open(tmp_path / "model.safetensors", "pt") as file:
        assert "lm_head.weight" in file.keys()
    torch.testing.assert_close(tuned(input_ids=tokens).logits, expected, rtol=0, atol=0)
    assert tuned.get_base_model().config.tie_word_embeddings, "the adapted model itself stays as it was"


@torch.no_grad()
def test_weights_stay_tied_where_the_adapter_does_not_touch_them(tmp_path):
    tuned, tokens = adapted(llama(), ["q_proj", "v_proj"]), torch.arange(36).view(3, 12)
    merged_model(tuned).save_pretrained(tmp_path)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    torch.testing.assert_close(loaded(input_ids=tokens).logits, tuned(input_ids=tokens).logits, rtol=1e-4, atol=1e-5)
    assert loaded.config.tie_word_embeddings
    assert loaded.lm_head.weight is loaded.model.embed_tokens.weight


def test_a_head_that_cannot_be_kept_apart_is_refused():
    with pytest.raises(ValueError, match=r"the head of a t5 always shares .* set finetuning.merge to false"):
        merged_model(adapted(t5(), ["lm_head", "q"]))
    merged_model(adapted(t5(), ["q", "v"]))
