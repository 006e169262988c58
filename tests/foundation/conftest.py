from __future__ import annotations

import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from toy_catalogue import SMALL, toy_items
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from coresift.foundation import build_base_model


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Trainings this small gain nothing from threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def items():
    return toy_items()


@pytest.fixture(scope="session")
def trained_folder(items, tmp_path_factory):
    return build_base_model(items, tmp_path_factory.mktemp("base") / "m", model=None, random_state=0, small_model=SMALL)


@pytest.fixture(scope="session")
def encoder_folder(items, tmp_path_factory):
    """A random BERT of two layers with a word-level vocabulary."""
    folder = tmp_path_factory.mktemp("encoder")
    words = sorted({word.lower() for title in items["title"].to_pylist() for word in title.split()})
    vocabulary = {token: place for place, token in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    ends = [("[CLS]", 2), ("[SEP]", 3)]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=64, **names).save_pretrained(folder)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    torch.manual_seed(0)
    BertModel(BertConfig(vocab_size=len(vocabulary), max_position_embeddings=64, **sizes)).save_pretrained(folder)
    return folder
