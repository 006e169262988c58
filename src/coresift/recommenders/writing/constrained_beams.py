"""Beam search that can only write what is in the catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from peft import PeftModel
from torch import Tensor
from torch.nn.functional import pad
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList, PreTrainedModel

from coresift.recommenders.adapters import inner_model
from coresift.recommenders.batches import Batch
from coresift.recommenders.writing.token_trie import TokenTrie

NEVER = -1e8
"""Below the log-likelihood of any sequence; the search starts spare beams even lower."""


class TrieConstraint(LogitsProcessor):
    """Forbids every token that leads out of the tree, for all rows at once.

    Args:
        trie: The sequences that may be written.
        start: Columns of the input before what is written.
    """

    def __init__(self, trie: TokenTrie, start: int) -> None:
        self.trie = trie
        self.start = start

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Return scores (R, vocabulary) with forbidden tokens at minus infinity."""
        allowed = self.trie.allowed(self.trie.walk(input_ids[:, self.start :]))
        return scores.masked_fill(~allowed[:, : scores.shape[1]], -torch.inf)


def best_sequences(
    model: PreTrainedModel | PeftModel,
    inputs: Batch,
    trie: TokenTrie,
    *,
    beams: int,
    start: int,
    end: int,
    padding: int,
) -> tuple[Tensor, Tensor]:
    """Find the likeliest sequences of a tree for every row by beam search.

    Scores are sums of log-probabilities over the whole vocabulary, so that they are log-likelihoods; sequences that the
    search has lost on the way are missing, and none appears twice, however many beams there are.

    Args:
        model: What generates; its own logits decide within the tree.
        inputs: What ``generate`` takes besides settings: ``input_ids`` and ``attention_mask`` (B, T).
        trie: The sequences that may be written.
        beams: Sequences kept at every step, and returned at most.
        start: Columns that are there before the first written token.
        end: Token that ends every sequence.
        padding: Token behind a shorter sequence.

    Returns:
        Leaves (B, beams) of the tree, best first, -1 where nothing more was found, and log-likelihoods (B, beams)
        float32, minus infinity there.
    """
    returned = min(beams, int((trie.n_children == 0).sum()))
    # A search with a single beam is none, and reports no scores.
    settings = beam_settings(max(2, returned), returned=returned, longest=trie.longest, end=end, padding=padding)
    constraint = LogitsProcessorList([TrieConstraint(trie, start)])
    with own_settings_only(model):
        output = model.generate(**inputs, generation_config=settings, logits_processor=constraint)
    leaves = _leaves(trie, output.sequences[:, start:], end).view(-1, returned)
    scores = output.sequences_scores.float().view(-1, returned)
    found = (leaves >= 0) & (scores > NEVER) & ~_occurs_before(leaves)
    order = (~found).int().argsort(dim=1, stable=True)
    leaves, scores = leaves.masked_fill(~found, -1).gather(1, order), scores.masked_fill(~found, -torch.inf)
    spare = (0, beams - returned)
    return pad(leaves, spare, value=-1), pad(scores.gather(1, order), spare, value=-torch.inf)


def beam_settings(beams: int, *, returned: int, longest: int, end: int, padding: int) -> GenerationConfig:
    """Return settings of a beam search whose scores are sums of log-probabilities, without chance."""
    return GenerationConfig(
        num_beams=beams,
        num_return_sequences=returned,
        max_new_tokens=longest,
        do_sample=False,
        length_penalty=0.0,
        early_stopping=False,
        eos_token_id=end,
        pad_token_id=padding,
        return_dict_in_generate=True,
        output_scores=True,
    )


@contextmanager
def own_settings_only(model: PreTrainedModel | PeftModel) -> Iterator[None]:
    """Keep ``generate`` from adding what the model's publisher has set, such as a penalty on words of the prompt."""
    body = inner_model(model)
    published = body.generation_config
    body.generation_config = GenerationConfig(decoder_start_token_id=published.decoder_start_token_id)
    try:
        yield
    finally:
        body.generation_config = published


def _leaves(trie: TokenTrie, written: Tensor, end: int) -> Tensor:
    """Walk each row to the end that was written and on to its leaf; -1 where no end is reached.

    Where several tokens end a text, the search stops at the one that ends it for the model, and the others follow it.
    """
    nodes = torch.zeros(len(written), dtype=torch.int64, device=written.device)
    ended = torch.zeros_like(nodes, dtype=torch.bool)
    for column in written.T:
        nodes = torch.where(ended, nodes, trie.step(nodes, column))
        ended |= (nodes > 0) & ((column == end) | (trie.n_children[nodes.clamp(min=0)] == 0))
    nodes = torch.where(ended, nodes, -1)
    for _ in range(trie.longest):
        inside = trie.n_children[nodes.clamp(min=0)] == 1
        nodes = torch.where(ended & inside, trie.first_child[nodes.clamp(min=0)], nodes)
    return nodes


def _occurs_before(values: Tensor) -> Tensor:
    """Return (B, K) booleans: an earlier column of the row has the same value."""
    return (values[:, :, None] == values[:, None, :]).tril(-1).any(2)
