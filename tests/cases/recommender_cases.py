"""A tiny shop, tokenizer and base models for the tests of recommenders and fine-tuning."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel, LlamaConfig, LlamaForCausalLM, LlamaModel, PreTrainedTokenizerFast

WORDS = ["red", "blue", "green", "old", "new", "car", "boat", "plane", "game", "puzzle"]
TITLES = [f"{first} {second} {third}" for first in WORDS[:3] for second in WORDS[3:5] for third in WORDS[5:]]
VOCABULARY = ["[PAD]", "[UNK]", "[BOS]", ",", *WORDS, "Yes", "No", "[EOS]"]
END = len(VOCABULARY) - 1
SHAPE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
SHAPE |= {"vocab_size": len(VOCABULARY), "max_position_embeddings": 64}


def small_tokenizer() -> PreTrainedTokenizerFast:
    vocabulary = {token: number for number, token in enumerate(VOCABULARY)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(single="[BOS] $A", special_tokens=[("[BOS]", 2)])
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "bos_token": "[BOS]", "eos_token": "[EOS]"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)


def small_body(kind: str):
    torch.manual_seed(0)
    if kind == "llama":
        return LlamaModel(llama_config())
    return BertModel(BertConfig(**SHAPE))


def llama_config():
    return LlamaConfig(**SHAPE, pad_token_id=0, bos_token_id=2, eos_token_id=END)


def small_generator():
    torch.manual_seed(0)
    return LlamaForCausalLM(llama_config())


def small_base_model(folder, kind="llama"):
    (small_generator() if kind == "llama" else small_body(kind)).save_pretrained(folder)
    small_tokenizer().save_pretrained(folder)
    return folder


def items_table() -> pa.Table:
    count = len(TITLES)
    return pa.table({"item_id": pa.array(range(count), pa.int32()), "title": TITLES, "text": TITLES})


def prompts_table(count=48, seed=0, split=0) -> pa.Table:
    """Users who keep to one color: the target shares its first word with the history."""
    draw = np.random.default_rng(seed)
    per_color = len(TITLES) // 3
    colors = draw.integers(3, size=count)
    histories = [(color * per_color + draw.permutation(per_color)[:4]).tolist() for color in colors]
    prompts = [", ".join(TITLES[item] for item in history[:3]) for history in histories]
    tokenizer = small_tokenizer()
    ids = tokenizer(prompts)["input_ids"]
    responses = [TITLES[history[3]] for history in histories]
    ends = tokenizer(responses, add_special_tokens=False)["input_ids"]
    whole = [first + second + [END] for first, second in zip(ids, ends, strict=True)]
    return pa.table(
        {
            "sample_id": pa.array(range(count), pa.int32()),
            "target_id": pa.array([history[3] for history in histories], pa.int32()),
            "label": pa.array([1] * count, pa.int8()),
            "prompt": prompts,
            "response": responses,
            "input_ids": pa.array(whole, pa.list_(pa.int32())),
            "prompt_length": pa.array([len(first) for first in ids], pa.int32()),
            "split": pa.array([split] * count, pa.int8()),
            "history": pa.array([history[:3] for history in histories], pa.list_(pa.int32())),
        }
    )


def clicks_table(count=64, seed=0, split=0) -> pa.Table:
    """Users who like what is old and dislike what is new are asked about an item of either age."""
    draw = np.random.default_rng(seed)
    labels = draw.integers(2, size=count)
    ages = np.stack([np.zeros(count), np.ones(count), 1 - labels], axis=1).astype(int)
    items = 10 * draw.integers(3, size=(count, 3)) + 5 * ages + draw.integers(5, size=(count, 3))
    prompts = [f"{TITLES[liked]} , {TITLES[disliked]} , , {TITLES[target]}" for liked, disliked, target in items]
    tokenizer = small_tokenizer()
    ids = tokenizer(prompts)["input_ids"]
    responses = ["Yes" if label else "No" for label in labels]
    whole = [[*row, tokenizer.convert_tokens_to_ids(word), END] for row, word in zip(ids, responses, strict=True)]
    return pa.table(
        {
            "sample_id": pa.array(range(count), pa.int32()),
            "target_id": pa.array(items[:, 2], pa.int32()),
            "label": pa.array(labels, pa.int8()),
            "prompt": prompts,
            "response": responses,
            "input_ids": pa.array(whole, pa.list_(pa.int32())),
            "prompt_length": pa.array([len(row) for row in ids], pa.int32()),
            "split": pa.array([split] * count, pa.int8()),
        }
    )
