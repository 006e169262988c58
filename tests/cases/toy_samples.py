"""A few items and samples, and two tokenizers: one of a decoder, one of an encoder."""

from __future__ import annotations

import pyarrow as pa
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from coresift.foundation.tokenizer_training import train_tokenizer
from coresift.storage import SCHEMAS

TITLES = ["Ember Rally", "Frost Saga II", "Iron Siege", "Star Farm - PC", "Velvet Cup: The Long Way Home Again", "Neon"]
CHAT = (
    "{% for message in messages %}<user>{{ message.role }}\n{{ message.content }}<end>\n{% endfor %}"
    "{% if add_generation_prompt %}<user>assistant\n{% endif %}"
)


def toy_items(titles=TITLES):
    categories = [["Games", "PC"]] * (len(titles) - 1) + [None]
    columns = [range(len(titles)), titles, titles, categories, [f"{title} for PC" for title in titles]]
    return pa.table(dict(zip(SCHEMAS["items"].names, columns, strict=True)), schema=SCHEMAS["items"])


def toy_samples(histories, targets, ratings=None):
    count = len(histories)
    ratings = ratings or [[None] * len(history) for history in histories]
    columns = [range(count), [0, 1] * (count // 2) + [0] * (count % 2), histories, ratings, targets]
    columns += [[1] * count, [None] * count, [0] * count]
    return pa.table(dict(zip(SCHEMAS["samples"].names, columns, strict=True)), schema=SCHEMAS["samples"])


def decoder_tokenizer():
    texts = [f"{first}; {second}\nNext:\n" for first in TITLES for second in TITLES]
    return train_tokenizer([*texts, "user assistant", "user, assistant"], vocabulary_size=500, max_tokens=256)


def chat_tokenizer():
    tokenizer = decoder_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": ["<user>", "<end>"]})
    tokenizer.chat_template = CHAT
    return tokenizer


def encoder_tokenizer():
    words = sorted({word for text in (*TITLES, "bought newest first next") for word in text.lower().split()})
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *words, *";:,-", *(f"##{letter}" for letter in "abcdefg"), *"abcdefg"]
    vocabulary = {piece: place for place, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    ends = [("[CLS]", 2), ("[SEP]", 3)]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=ends
    )
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=256, **names)
