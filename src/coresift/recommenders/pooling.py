"""From token states to one vector per text."""

from __future__ import annotations

import torch
from peft import PeftModel
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from coresift.recommenders.adapters import inner_model, without_adapter
from coresift.recommenders.batches import in_length_order
from coresift.recommenders.tokens import RaggedIntegers

POOLINGS = ("mean", "last")


def pooled_unit_vectors(states: Tensor, attention_mask: Tensor, pooling: str) -> Tensor:
    """Pool like :func:`pooled_states` and scale the result to unit length."""
    return functional.normalize(pooled_states(states, attention_mask, pooling), dim=-1)


def pooled_states(states: Tensor, attention_mask: Tensor, pooling: str) -> Tensor:
    """Pool the last hidden states of real tokens.

    Args:
        states: (B, T, d) last hidden states.
        attention_mask: (B, T), 1 at real tokens, padded on either side.
        pooling: ``mean`` of the real tokens, or the ``last`` real token.

    Returns:
        (B, d) float32 vectors.

    Raises:
        ValueError: If the pooling is unknown.
    """
    if pooling == "mean":
        mask = attention_mask.unsqueeze(-1).float()
        return (states.float() * mask).sum(1) / mask.sum(1).clamp(min=1.0)
    if pooling == "last":
        positions = torch.arange(attention_mask.shape[1], device=attention_mask.device)
        last = (positions * attention_mask).argmax(1)
        return states[torch.arange(len(states), device=states.device), last].float()
    raise ValueError(f"pooling is '{pooling}': use one of {', '.join(POOLINGS)}")


TEXTS_AT_ONCE = 256
"""Texts embedded at once."""
MAX_TOKENS = 128
"""Longest text in tokens where nothing else is said."""


def last_token_vectors(
    model: PreTrainedModel | PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: list[str],
    *,
    padding: int,
    longest: int = MAX_TOKENS,
) -> Tensor:
    """Return the last hidden state (N, d) float32 of every text's last token.

    Args:
        model: A causal language model in evaluation mode; an adapter on it is switched off.
        tokenizer: Its tokenizer.
        texts: Texts to embed; an empty one is read as its special tokens, or as a space where there are none.
        padding: Token behind a shorter text.
        longest: Tokens of a text; the rest is not read.
    """
    read = [text or " " for text in texts]
    tokens = RaggedIntegers.from_texts(read, tokenizer, padding=padding, max_tokens=longest)
    body = inner_model(model).base_model
    device = next(body.parameters()).device

    def embed(places: Tensor) -> Tensor:
        input_ids, mask = (part.to(device) for part in tokens.padded(places))
        states = body(input_ids=input_ids, attention_mask=mask, use_cache=False).last_hidden_state
        return pooled_states(states, mask, "last").cpu()

    vectors = torch.empty(len(read), model.config.hidden_size)
    with without_adapter(model):
        for places, part in in_length_order(tokens.lengths, TEXTS_AT_ONCE, embed, description="Embedding titles"):
            vectors[places] = part
    return vectors
