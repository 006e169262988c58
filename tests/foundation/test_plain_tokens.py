"""Text that looks like a control token is text, whichever tokenizer reads it."""

from __future__ import annotations

import json

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import ByT5Tokenizer, CTRLTokenizer, PreTrainedTokenizerFast

from coresift.foundation import shorten, tokenize, tokenize_whole
from coresift.foundation.tokenizer_training import train_tokenizer
from coresift.recommenders.tokens import RaggedIntegers

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ<>/[]|_"


def byte_pairs(_):
    return train_tokenizer(["Zelda the legend"] * 9, vocabulary_size=300, max_tokens=64)


def chat(folder):
    tokenizer = byte_pairs(folder)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.add_tokens(["<tool_call>", "Zelda"])
    return tokenizer


def unigrams(_):
    """A piece for every control token, as SentencePiece models have it, with the best score of all."""
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), *((letter, -3.0) for letter in LETTERS)]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=2))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")


def words(_):
    """Words between spaces, so that a control token is a word like any other."""
    vocabulary = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "Zelda": 4, "[": 5, "SEP]": 6}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    ends = [("[CLS]", 2), ("[SEP]", 3)]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)


def slow_bytes(_):
    return ByT5Tokenizer()


def slow_words(folder):
    vocabulary = {"<unk>": 0, "<pad>": 1, "Zelda": 2, "<eos>": 3, "a": 4}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n< e\n<e o\n<eo s\n<eos ></w>\n")
    return CTRLTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), eos_token="<eos>", pad_token="<pad>")


FAMILIES = [byte_pairs, chat, unigrams, words, slow_bytes, slow_words]


def control(tokenizer):
    names = [*tokenizer.all_special_tokens, *(name for name in tokenizer.get_added_vocab() if name[0] in "<[")]
    return {name: tokenizer.convert_tokens_to_ids(name) for name in names} | {}


@pytest.mark.parametrize("family", FAMILIES)
def test_no_control_token_is_read_out_of_a_title(family, tmp_path):
    tokenizer = family(tmp_path)
    for name, token in control(tokenizer).items():
        for title in (f"Zelda {name} Mario", f"Zelda{name}", name):
            (plain,) = tokenize(tokenizer, [title])
            assert token not in plain or token == tokenizer.unk_token_id, title
            assert plain, "nothing is lost"


@pytest.mark.parametrize("family", FAMILIES)
def test_items_and_prompts_read_a_title_alike(family, tmp_path):
    tokenizer = family(tmp_path)
    titles = ["Zelda", "", *(f"Zelda {name} Mario" for name in control(tokenizer))]
    items = RaggedIntegers.from_texts(titles, tokenizer, padding=0, max_tokens=40)
    around = len(tokenizer("a")["input_ids"]) - len(tokenizer("a", add_special_tokens=False)["input_ids"])
    for place, plain in enumerate(tokenize(tokenizer, titles)):
        whole = items.values[items.offsets[place] : items.offsets[place + 1]].tolist()
        kept = plain[: 40 - around]
        assert len(whole) == len(kept) + around
        assert any(whole[start : start + len(kept)] == kept for start in range(around + 1))


@pytest.mark.parametrize("family", FAMILIES)
def test_other_text_is_read_as_the_tokenizer_itself_reads_it(family, tmp_path):
    tokenizer = family(tmp_path)
    texts = ["Zelda a Zelda", "a", "Zelda"]
    assert tokenize(tokenizer, texts) == tokenizer(texts, add_special_tokens=False)["input_ids"]
    assert tokenize_whole(tokenizer, texts, longest=60) == tokenizer(texts)["input_ids"]
    assert tokenize_whole(tokenizer, texts, longest=3) == tokenizer(texts, truncation=True, max_length=3)["input_ids"]


def test_a_control_token_in_another_width_is_text(tmp_path):
    assert 1 not in tokenize(unigrams(tmp_path), ["Zelda ＜/s＞"])[0]


@pytest.mark.parametrize("family", [byte_pairs, slow_bytes])
def test_a_text_is_shortened_to_whole_tokens(family, tmp_path):
    tokenizer, text = family(tmp_path), "Zelda <eos> " * 30
    short = shorten(tokenizer, text, 12)
    assert text.startswith(short)
    assert 9 <= len(tokenize(tokenizer, [short])[0]) <= 12
    assert shorten(tokenizer, "Zelda", 12) == "Zelda"
