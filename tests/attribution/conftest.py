from __future__ import annotations

import pytest
import torch
from gradient_cases import VOCABULARY, adapted
from transformers import BertConfig, BertModel, LlamaConfig, LlamaForCausalLM, T5Config, T5ForConditionalGeneration

SHAPE = {"vocab_size": VOCABULARY, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}


@pytest.fixture
def llama():
    torch.manual_seed(0)
    config = LlamaConfig(**SHAPE, intermediate_size=64, max_position_embeddings=64)
    return adapted(LlamaForCausalLM(config), ["q_proj", "v_proj", "up_proj", "down_proj"])


@pytest.fixture
def bert():
    torch.manual_seed(0)
    config = BertConfig(**SHAPE, intermediate_size=64, max_position_embeddings=64)
    return adapted(BertModel(config), ["query", "value", "intermediate.dense", "output.dense"])


@pytest.fixture
def t5():
    torch.manual_seed(0)
    config = T5Config(
        vocab_size=VOCABULARY, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, decoder_start_token_id=0
    )
    return adapted(T5ForConditionalGeneration(config), ["q", "v", "wi", "wo"])
