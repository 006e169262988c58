"""A byte-level BPE tokenizer of the catalogue's own words."""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

PAD, BOS, EOS, UNK = "<pad>", "<bos>", "<eos>", "<unk>"
"""Special tokens, in the order of their ids."""
ANSWERS = ("Yes", "No")
"""Words that are one token each whether the catalogue holds them or not, so that a model can answer a question."""


def train_tokenizer(texts: Iterable[str], *, vocabulary_size: int, max_tokens: int) -> PreTrainedTokenizerFast:
    """Train a tokenizer whose words are the same at the start of a text and within it.

    Every byte is a token, so any text can be read. A text begins with ``<bos>``.

    Args:
        texts: What to learn from; duplicates and order do not matter.
        vocabulary_size: Most tokens to learn, special tokens and bytes included.
        max_tokens: Longest text the model takes.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(sorted(set(texts)), _trainer(vocabulary_size - len(ANSWERS)))
    tokenizer.add_tokens([AddedToken(answer, single_word=True, special=False) for answer in ANSWERS])
    begin = processors.TemplateProcessing(single=f"{BOS} $A", special_tokens=[(BOS, tokenizer.token_to_id(BOS))])
    tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=True), begin])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        unk_token=UNK,
        model_max_length=max_tokens,
        clean_up_tokenization_spaces=False,
    )


def _trainer(vocabulary_size: int) -> trainers.BpeTrainer:
    return trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        min_frequency=2,
        special_tokens=[PAD, BOS, EOS, UNK],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
