"""A small language model of the Llama architecture, trained on the catalogue's text in about a minute."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from coresift.compute import progress_bar
from coresift.foundation.catalogue_text import CatalogueText
from coresift.foundation.options import HEAD_SIZE, SmallModelOptions
from coresift.foundation.plain_tokens import tokenize

logger = logging.getLogger(__name__)

MAX_TOKENS = 512
"""Longest text the model takes."""
_BLOCK_TOKENS = 128
_DOCUMENTS_AT_ONCE = 1024
_WARM_UP_SHARE = 0.1


def check_small_model(max_tokens: int) -> None:
    """Refuse prompts that the small model does not read.

    Args:
        max_tokens: Tokens of the longest prompt with its response.

    Raises:
        ValueError: If the model reads less.
    """
    if max_tokens > MAX_TOKENS:
        raise ValueError(
            f"prompting.max_tokens is {max_tokens}, but the model that is trained here reads at most {MAX_TOKENS}: "
            "lower it, or set foundation.model to one that reads more"
        )


def train_language_model(
    text: CatalogueText, tokenizer: PreTrainedTokenizerFast, options: SmallModelOptions, *, random_state: int
) -> LlamaForCausalLM:
    """Train a model to predict the next token of the catalogue's text.

    Documents are joined to a stream and cut into blocks, so that no token is padding. The work is done on the CPU in
    float32 whatever the run's device, so that one catalogue gives one model.

    Returns:
        The model in evaluation mode.
    """
    model = _fresh_model(tokenizer, options, random_state)
    optimizer = torch.optim.AdamW(model.parameters(), lr=options.learning_rate, betas=(0.9, 0.95), weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _warm_cosine(step, options.training_steps))
    batches = _batches(text, tokenizer, options, random_state)
    for blocks in progress_bar(batches, description="Training the base model", total=options.training_steps):
        loss = model(input_ids=blocks, labels=blocks).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    return model.eval()


def _fresh_model(tokenizer: PreTrainedTokenizerFast, options: SmallModelOptions, random_state: int) -> LlamaForCausalLM:
    n_heads = options.hidden_size // HEAD_SIZE
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=options.hidden_size,
        intermediate_size=options.hidden_size * 8 // 3,
        num_hidden_layers=options.n_layers,
        num_attention_heads=n_heads,
        num_key_value_heads=n_heads,
        max_position_embeddings=MAX_TOKENS,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(random_state)
        return LlamaForCausalLM(config).train()


def _warm_cosine(step: int, n_steps: int) -> float:
    """Return the share of the peak learning rate: a linear rise, then half a cosine."""
    warm_up = max(1, round(_WARM_UP_SHARE * n_steps))
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, n_steps - warm_up)))


def _batches(
    text: CatalogueText, tokenizer: PreTrainedTokenizerFast, options: SmallModelOptions, random_state: int
) -> Iterator[Tensor]:
    """Yield (blocks, tokens) of every training step, cut from one endless stream of documents."""
    generator = np.random.default_rng(random_state)
    n_blocks = max(1, options.tokens_per_step // _BLOCK_TOKENS)
    needed = n_blocks * _BLOCK_TOKENS
    stream = np.empty(0, dtype=np.int64)
    for _ in range(options.training_steps):
        while len(stream) < needed:
            documents = tokenize(tokenizer, text.draw_documents(_DOCUMENTS_AT_ONCE, generator))
            ends = tokenizer.bos_token_id, tokenizer.eos_token_id
            closed = [np.array([ends[0], *document, ends[1]]) for document in documents]
            stream = np.concatenate([stream, *closed])
        yield torch.from_numpy(stream[:needed].reshape(n_blocks, _BLOCK_TOKENS))
        stream = stream[needed:]
