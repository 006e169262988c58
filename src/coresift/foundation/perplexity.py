"""How well a language model predicts titles it has not seen, beside a model of single-token frequencies."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel, PreTrainedTokenizerFast

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
        closed = [title + tokenizer.eos_token for title in titles[start : start + _TITLES_AT_ONCE]]
        batch = tokenizer(closed, padding=True, return_tensors="pt", return_token_type_ids=False)
        labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, _IGNORED)[:, 1:]
        with torch.inference_mode():
            logits = model(**batch).logits[:, :-1].float()
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
    closed = [text + tokenizer.eos_token for text in texts]
    return np.concatenate([np.array(tokens[1:]) for tokens in tokenizer(closed)["input_ids"]])
