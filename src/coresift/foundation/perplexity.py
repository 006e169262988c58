"""How well a language model predicts titles it has not seen, beside a model of single-token frequencies."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from coresift.foundation.plain_tokens import tokenize_whole

_TITLES_AT_ONCE = 64
_IGNORED = -100


def model_perplexity(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, titles: list[str]) -> float:
    """Return the perplexity of every token of ``titles`` and of the end of each, given what comes before.

    Args:
        model: A causal language model.
        tokenizer: Its tokenizer, which begins a text with a token of its own.
        titles: Texts, each read on its own.
    """
    loss, count = 0.0, 0
    for start in range(0, len(titles), _TITLES_AT_ONCE):
        rows = [torch.tensor(row) for row in _closed(tokenizer, titles[start : start + _TITLES_AT_ONCE])]
        labels = pad_sequence(rows, batch_first=True, padding_value=_IGNORED)
        mask = labels != _IGNORED
        with torch.inference_mode():
            inputs = labels.masked_fill(~mask, tokenizer.pad_token_id)
            logits = model(input_ids=inputs, attention_mask=mask.long()).logits[:, :-1].float()
        labels = labels[:, 1:]
        loss += float(cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=_IGNORED, reduction="sum"))
        count += int((labels != _IGNORED).sum())
    return math.exp(loss / count)


def unigram_perplexity(tokenizer: PreTrainedTokenizerFast, training: list[str], titles: list[str]) -> float:
    """Return the perplexity of the same tokens under their frequencies in ``training``, with one added to each count.

    Args:
        tokenizer: Cuts the texts.
        training: Texts that are counted.
        titles: Texts that are measured.
    """
    counts = np.bincount(_tokens(tokenizer, training), minlength=len(tokenizer)) + 1
    log_shares = np.log(counts / counts.sum())
    return math.exp(-float(log_shares[_tokens(tokenizer, titles)].mean()))


def _tokens(tokenizer: PreTrainedTokenizerFast, texts: list[str]) -> np.ndarray:
    return np.concatenate([np.array(row[1:]) for row in _closed(tokenizer, texts)])


def _closed(tokenizer: PreTrainedTokenizerFast, texts: list[str]) -> list[list[int]]:
    """Return the tokens of every text between those that begin and end it."""
    rows = tokenize_whole(tokenizer, texts, longest=tokenizer.model_max_length)
    return [[*row, tokenizer.eos_token_id] for row in rows]
