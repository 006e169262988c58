"""The two answers of a click question: single tokens of a decoder, a small head on an encoder."""

from __future__ import annotations

import torch
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from coresift.prompting import tokenize

ANSWER_HEAD = "answer_head"
"""Name of the head within an encoder; peft trains and saves it whole."""
HEAD_SCALE = 0.02
"""Standard deviation of a fresh head's weights: small, yet not zero, so that the adapter below gets a gradient."""
HEAD_SEED = 104_729
"""Stream of a fresh head's weights, apart from other draws of the same seed."""
USUAL_ANSWERS = (("Yes", "No"), ("yes", "no"), ("1", "0"), ("A", "B"), ("+", "-"))


def answer_tokens(tokenizer: PreTrainedTokenizerBase, answers: tuple[str, str]) -> tuple[int, int]:
    """Return the token ids of the positive and the negative answer.

    Raises:
        ValueError: If an answer is not a single token, or both are the same one.
    """
    positive, negative = tokenize(tokenizer, list(answers))
    if len(positive) == len(negative) == 1 and positive != negative:
        return positive[0], negative[0]
    usable = [f"[{first}, {second}]" for first, second in USUAL_ANSWERS if _single(tokenizer, (first, second))]
    remedy = f"for instance {' or '.join(usable)}" if usable else "such as two frequent words"
    raise ValueError(
        f"recommender.yes_no.answers: {answers[0]!r} is {len(positive)} and {answers[1]!r} {len(negative)} tokens of "
        f"this model's tokenizer: choose two different answers of one token each, {remedy}"
    )


def _single(tokenizer: PreTrainedTokenizerBase, answers: tuple[str, str]) -> bool:
    positive, negative = tokenize(tokenizer, list(answers))
    known = tokenizer.unk_token_id not in (*positive, *negative)
    return known and len(positive) == len(negative) == 1 and positive != negative


def add_answer_head(encoder: PreTrainedModel, *, random_state: int) -> PreTrainedModel:
    """Give an encoder a Linear layer from its state to the logits of the positive and the negative answer.

    Args:
        encoder: The encoder, changed in place.
        random_state: Seed of the layer's weights.
    """
    head = nn.Linear(encoder.config.hidden_size, 2)
    generator = torch.Generator().manual_seed(HEAD_SEED * (random_state + 1))
    with torch.no_grad():
        head.weight.normal_(std=HEAD_SCALE, generator=generator)
        head.bias.zero_()
    encoder.add_module(ANSWER_HEAD, head.requires_grad_(False))
    return encoder


def has_answer_head(model: nn.Module) -> bool:
    """Return whether a model, bare or adapted, bears an answer head."""
    return hasattr(model, ANSWER_HEAD)
