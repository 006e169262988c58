"""The exact log-likelihood of every title of a catalogue given a prompt.

The prompt is read once and kept as keys and values. Titles share their beginnings: every node of their tree is fed
once, many nodes a pass, each attending to the prompt and to its own ancestors only (tree attention, arXiv 2305.09781).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from coresift.recommenders.batches import Batch
from coresift.recommenders.writing.token_trie import TokenTrie

NODES_PER_PASS = 256
"""Nodes that are fed at once for every prompt."""


@dataclass(frozen=True)
class TreePass:
    """Nodes fed at once.

    Attributes:
        nodes: (C,) nodes, ancestors first.
        attends: (C, C) whether a node is the other one or below it.
        rows: (E,) position in ``nodes`` from which a child is predicted.
        children: (E,) the child.
    """

    nodes: Tensor
    attends: Tensor
    rows: Tensor
    children: Tensor


class CatalogueLikelihood:
    """Scores all sequences of a tree for any prompt.

    Args:
        trie: The sequences.
        nodes_per_pass: Nodes that are fed at once for every prompt.
    """

    def __init__(self, trie: TokenTrie, *, nodes_per_pass: int = NODES_PER_PASS) -> None:
        self.trie = trie
        self.passes = list(_passes(trie, nodes_per_pass))
        self.levels = [(trie.depth == depth).nonzero().squeeze(1) for depth in range(1, trie.longest + 1)]

    @torch.no_grad()
    def log_likelihoods(self, model: PreTrainedModel, prompts: Batch) -> Tensor:
        """Return the log-likelihood (B, N) float32 of every sequence given each prompt.

        Args:
            model: A causal language model.
            prompts: ``input_ids``, ``attention_mask`` and ``position_ids`` (B, P), padded in front.
        """
        cache = DynamicCache()
        first = model(**prompts, past_key_values=cache, use_cache=True, logits_to_keep=1).logits[:, -1:]
        own = torch.full((len(first), len(self.trie)), -torch.inf, device=first.device)
        own[:, 0] = 0.0
        rows, children = self.trie.children(torch.zeros(1, dtype=torch.int64, device=first.device))
        own[:, children] = _edge_log_probabilities(first, rows, self.trie.token[children])
        for part in self.passes:
            logits = self._feed(model, part, prompts, cache)
            own[:, part.children] = _edge_log_probabilities(logits, part.rows, self.trie.token[part.children])
            cache.crop(-len(part.nodes))
        for level in self.levels:
            own[:, level] += own[:, self.trie.parent[level]]
        return own[:, self.trie.leaf]

    def _feed(self, model: PreTrainedModel, part: TreePass, prompts: Batch, cache: DynamicCache) -> Tensor:
        """Return logits (B, C, vocabulary) behind every node of a pass."""
        mask = prompts["attention_mask"].bool()
        n_prompts, count = len(mask), len(part.nodes)
        visible = torch.cat(
            [mask[:, None, :].expand(-1, count, -1), part.attends.expand(n_prompts, -1, -1)], dim=2
        ).unsqueeze(1)
        blocked = torch.zeros(visible.shape, dtype=model.dtype, device=mask.device)
        blocked = blocked.masked_fill(~visible, torch.finfo(model.dtype).min)
        return model(
            input_ids=self.trie.token[part.nodes].expand(n_prompts, -1),
            attention_mask=blocked,
            position_ids=mask.sum(1, keepdim=True) + self.trie.depth[part.nodes] - 1,
            past_key_values=cache,
            use_cache=True,
        ).logits


def _edge_log_probabilities(logits: Tensor, rows: Tensor, tokens: Tensor) -> Tensor:
    """Return log-probabilities (B, E) of tokens at positions ``rows`` of logits (B, C, vocabulary)."""
    scores = logits.float()
    return scores[:, rows, tokens] - scores.logsumexp(2)[:, rows]


def _passes(trie: TokenTrie, size: int) -> Iterator[TreePass]:
    """Cut the inner nodes, depth first, into passes; each brings along the ancestors of its first node."""
    order = [node for node in _depth_first(trie) if node and int(trie.n_children[node])]
    for start in range(0, len(order), size):
        own = order[start : start + size]
        ancestors = _ancestors(trie, own[0])
        nodes = torch.tensor([*ancestors, *own], device=trie.token.device)
        rows, children = trie.children(nodes[len(ancestors) :])
        yield TreePass(nodes, _attends(trie, nodes), rows + len(ancestors), children)


def _depth_first(trie: TokenTrie) -> list[int]:
    first, count = trie.first_child.tolist(), trie.n_children.tolist()
    order, waiting = [], [0]
    while waiting:
        node = waiting.pop()
        order.append(node)
        waiting.extend(range(first[node] + count[node] - 1, first[node] - 1, -1))
    return order


def _ancestors(trie: TokenTrie, node: int) -> list[int]:
    """Ancestors of a node from the top, without the root and the node itself."""
    path: list[int] = []
    above = int(trie.parent[node])
    while above > 0:
        path.append(above)
        above = int(trie.parent[above])
    return path[::-1]


def _attends(trie: TokenTrie, nodes: Tensor) -> Tensor:
    """Return (C, C) booleans: the second node is the first one or an ancestor of it."""
    attends = torch.eye(len(nodes), dtype=torch.bool, device=nodes.device)
    current = nodes
    for _ in range(int(trie.depth[nodes].max())):
        current = trie.parent[current.clamp(min=0)]
        attends |= current[:, None] == nodes
    return attends
