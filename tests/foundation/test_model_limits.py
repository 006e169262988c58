"""A base model reads as much as its tables hold, and a run that asks for more stops before its first node."""

from __future__ import annotations

import json

import pytest
import torch
from recommender_cases import VOCABULARY, small_tokenizer
from transformers import (
    BertConfig,
    BertModel,
    CTRLConfig,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MptConfig,
    OPTConfig,
    OPTForCausalLM,
    RobertaConfig,
    RobertaModel,
    T5Config,
    T5ForConditionalGeneration,
)

from coresift.foundation import build_base_model, check_base_model, load_tokenizer, text_vectors
from coresift.foundation.limits import ModelLimits, model_limits


@pytest.mark.parametrize(
    "config",
    [
        CTRLConfig(vocab_size=40, n_positions=48, n_embd=16, dff=16, n_layer=1, n_head=2),
        MptConfig(vocab_size=40, max_seq_len=48, d_model=16, n_layers=1, n_heads=2),
    ],
    ids=["ctrl", "mpt"],
)
def test_families_without_a_table_of_positions_have_limits_too(tmp_path, config):
    config.save_pretrained(tmp_path)
    assert model_limits(tmp_path).positions == 48


SIZE = len(VOCABULARY)
BODY = {"vocab_size": SIZE, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
SHAPE = BODY | {"intermediate_size": 16, "max_position_embeddings": 32}


def gpt2():
    return GPT2LMHeadModel(GPT2Config(vocab_size=SIZE, n_positions=32, n_embd=16, n_layer=1, n_head=2))


def opt():
    return OPTForCausalLM(OPTConfig(**BODY, max_position_embeddings=32, ffn_dim=16, word_embed_proj_dim=16))


def bert():
    return BertModel(BertConfig(**SHAPE))


def roberta():
    return RobertaModel(RobertaConfig(**SHAPE, pad_token_id=1))


def llama():
    return LlamaForCausalLM(LlamaConfig(**SHAPE))


def t5():
    return T5ForConditionalGeneration(T5Config(vocab_size=SIZE, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2))


def saved(model, folder, tokenizer=None):
    model.save_pretrained(folder)
    (tokenizer or small_tokenizer()).save_pretrained(folder)
    return folder


@pytest.mark.parametrize(("make", "longest"), [(gpt2, 32), (opt, 32), (bert, 32), (roberta, 30)])
def test_a_model_with_a_table_of_positions_reads_that_many_tokens_and_no_more(make, longest, tmp_path):
    model, folder = make().eval(), saved(make(), tmp_path / "model")
    assert model_limits(folder) == ModelLimits(SIZE, longest)
    model(input_ids=torch.full((1, longest), 5))
    with pytest.raises((IndexError, RuntimeError)):
        model(input_ids=torch.full((1, longest + 1), 5))
    assert load_tokenizer(folder).model_max_length == longest
    check_base_model(str(folder), max_tokens=longest)
    with pytest.raises(ValueError, match=f"max_tokens is {longest + 1}, but the model reads at most {longest}: lower"):
        check_base_model(str(folder), max_tokens=longest + 1)


@pytest.mark.parametrize("make", [llama, t5])
def test_a_model_without_such_a_table_reads_on(make, tmp_path):
    folder = saved(make(), tmp_path / "model")
    assert model_limits(folder) == ModelLimits(SIZE, None)
    check_base_model(str(folder), max_tokens=500)


@pytest.mark.parametrize("make", [gpt2, opt, bert, roberta, llama, t5])
def test_tokens_without_an_embedding_are_found_before_anything_runs(make, tmp_path):
    tokenizer = small_tokenizer()
    tokenizer.add_tokens(["<extra>"])
    folder = saved(make(), tmp_path / "model", tokenizer)
    message = f"embeds {SIZE} tokens, but its tokenizer knows {SIZE + 1}: save it with the tokenizer it was trained"
    with pytest.raises(ValueError, match=message):
        check_base_model(str(folder), max_tokens=16)
    with pytest.raises(ValueError, match=message):
        build_base_model(None, tmp_path / "base", model=str(folder), random_state=0)
    assert not (tmp_path / "base").exists()


@pytest.mark.parametrize("make", [bert, roberta, gpt2])
def test_long_texts_are_embedded_as_far_as_the_model_reads(make, tmp_path):
    folder = saved(make(), tmp_path / "model")
    assert json.loads((folder / "tokenizer_config.json").read_text()).get("model_max_length", 1e30) > 1e20
    vectors = text_vectors(["red old car " * 40, "red old car " * 50, "blue"], method=str(folder), device="cpu")
    assert (vectors[0] == vectors[1]).all()
