from __future__ import annotations

import pytest
import torch
from recommender_cases import llama_config, small_base_model, small_body, small_tokenizer
from transformers import LlamaForCausalLM

from coresift.foundation import load_generator


def test_a_decoder_is_loaded_with_its_head(tmp_path):
    folder = small_base_model(tmp_path / "base")
    torch.manual_seed(0)
    expected = LlamaForCausalLM(llama_config()).lm_head.weight
    assert torch.equal(load_generator(folder).lm_head.weight, expected)


def test_a_body_without_its_head_is_refused(tmp_path):
    small_body("llama").save_pretrained(tmp_path)
    small_tokenizer().save_pretrained(tmp_path)
    with pytest.raises(
        ValueError, match=r"the weights lack lm_head\.weight.*save the model with its language-model head"
    ):
        load_generator(tmp_path)


def test_an_encoder_is_refused(tmp_path):
    with pytest.raises(ValueError, match="which an encoder cannot: give a decoder"):
        load_generator(small_base_model(tmp_path / "base", "bert"))


def test_a_pickle_is_refused_before_anything_is_loaded(tmp_path):
    folder = small_base_model(tmp_path / "base")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"only as a pickle \(pytorch_model\.bin\), which can run code"):
        load_generator(folder)
