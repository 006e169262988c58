"""SASRec in one file: a small causal transformer that reads item ids and predicts the next one (arXiv 1808.09781).

Differences from the paper, each for a reason: layer norm before each sublayer (stable without warm-up), a start token
(a user without history has a state too, and the first item of a sequence is a training target), and padding on the
right (causal attention never looks at it, so no mask is needed and the fastest attention kernels apply).

As in the paper, which pads on the left, positions are counted from the newest token: the last ones always stand for
the latest interactions, whose targets are the most recent. Counted from the oldest, recall on later data is lower.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from coresift.ranking import Lists, list_lengths, padded_lists
from coresift.surrogate.options import SasRecShape

Positions = tuple[Tensor, Tensor]
"""Row and column of every position asked for, (P,) each."""
START = 0
"""Token of an empty history; it also fills padding, which no position ever attends to."""


@dataclass(frozen=True)
class Catalogue:
    """What the data decides about the shape of a surrogate.

    Attributes:
        n_items: Catalogue size M; item id i is token i + 1.
    """

    n_items: int


@dataclass(frozen=True)
class SasRecConfig(SasRecShape, Catalogue):
    """Shape of the model: the size of the catalogue, then what can be chosen."""

    @classmethod
    def of(cls, n_items: int, shape: SasRecShape) -> SasRecConfig:
        """Return the shape for a catalogue of `n_items`."""
        return cls(n_items, **{entry.name: getattr(shape, entry.name) for entry in fields(SasRecShape)})


class CausalSelfAttention(nn.Module):
    """Multi-head attention in which a position sees itself and earlier ones."""

    def __init__(self, config: SasRecConfig) -> None:
        super().__init__()
        self.n_heads = config.n_heads
        self.dropout = config.dropout
        self.query_key_value = nn.Linear(config.dimension, 3 * config.dimension)
        self.output = nn.Linear(config.dimension, config.dimension)

    def forward(self, x: Tensor, at: Positions | None = None) -> Tensor:
        """Map (B, L, d) to (B, L, d), or to the states (P, d) at chosen positions."""
        heads = self.query_key_value(x).unflatten(-1, (3, self.n_heads, -1)).permute(2, 0, 3, 1, 4)
        query, key, value = heads.unbind(0)
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(query, key, value, dropout_p=dropout, is_causal=True)
        joined = mixed.transpose(1, 2).flatten(2)
        return self.output(joined if at is None else joined[at])


class Block(nn.Module):
    """Attention, then a position-wise network, each on a normalized copy and added back."""

    def __init__(self, config: SasRecConfig) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.dimension)
        self.attention = CausalSelfAttention(config)
        self.network_norm = nn.LayerNorm(config.dimension)
        self.network = nn.Sequential(
            nn.Linear(config.dimension, 4 * config.dimension),
            nn.GELU(),
            nn.Linear(4 * config.dimension, config.dimension),
        )
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, at: Positions | None = None) -> Tensor:
        """Map (B, L, d) to (B, L, d), or to the states (P, d) at chosen positions."""
        mixed = self.attention(self.attention_norm(x), at)
        x = (x if at is None else x[at]) + self.dropout(mixed)
        return x + self.dropout(self.network(self.network_norm(x)))


class SasRec(nn.Module):
    """The surrogate: next-item scores are inner products of a user's state and the item vectors."""

    kind: ClassVar[str] = "sasrec"

    def __init__(self, config: SasRecConfig) -> None:
        super().__init__()
        if config.dimension % config.n_heads:
            raise ValueError(f"dimension {config.dimension} is no multiple of n_heads {config.n_heads}: change one.")
        self.config = config
        self.tokens = nn.Embedding(config.n_items + 1, config.dimension)
        self.positions = nn.Embedding(config.max_length, config.dimension)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.n_blocks))
        self.norm = nn.LayerNorm(config.dimension)

    def initialize(self, generator: torch.Generator) -> None:
        """Draw every weight matrix from N(0, 0.02^2) and set biases to zero, without touching global random state."""
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.02, generator=generator)
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)

    @property
    def influence_module(self) -> str:
        """Name of the layer whose weights stand for the model in influence scores: the last attention output."""
        return f"blocks.{self.config.n_blocks - 1}.attention.output"

    @property
    def item_vectors(self) -> Tensor:
        """Item vectors (M, d); row = item id. Input and output share them."""
        return self.tokens.weight[START + 1 :]

    @property
    def device(self) -> torch.device:
        """Where the weights live."""
        return self.tokens.weight.device

    def forward(self, tokens: Tensor, at: Positions | None = None) -> Tensor:
        """Return the state (B, L, d) after every token of right-padded sequences (B, L).

        Where only the states (P, d) at chosen positions are asked for, the last block computes no others.
        """
        x = self.dropout(self.tokens(tokens) * self.config.dimension**0.5 + self.positions(self._places(tokens)))
        for block in self.blocks[:-1]:
            x = block(x)
        return self.norm(self.blocks[-1](x, at))

    def _places(self, tokens: Tensor) -> Tensor:
        """Return the position (B, L) of every token of right-padded sequences; the newest token has the last one."""
        n_tokens = (tokens != START).sum(1, keepdim=True) + (tokens[:, :1] == START)
        columns = torch.arange(tokens.shape[1], device=tokens.device)
        return (self.config.max_length - n_tokens + columns).clamp(max=self.config.max_length - 1)

    def states(self, histories: Tensor) -> Tensor:
        """Return the state (B, d) after the last item of histories (B, L), padded on the left with -1."""
        tokens, n_tokens = self._tokens(histories)
        return self(tokens, (torch.arange(len(tokens), device=tokens.device), n_tokens - 1))

    def states_at(self, histories: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        """Return the states (P, d) after chosen items of histories (B, L), padded on the left with -1.

        Every layer sees the B histories as its first dimension, as gradients per sample need it.

        Args:
            histories: Item ids; the newest ones are read, up to `max_length` tokens.
            rows: Row of every item asked for, (P,).
            columns: Its column, among the columns that are read, (P,).
        """
        tokens, n_tokens = self._tokens(histories)
        return self(tokens)[rows, n_tokens[rows] + columns - histories.shape[1]]

    def _tokens(self, histories: Tensor) -> tuple[Tensor, Tensor]:
        """Return right-padded tokens (B, W) of left-padded histories (B, L), and how many each has (B,)."""
        n_tokens = ((histories >= 0).sum(1) + 1).clamp(max=self.config.max_length)
        width = int(n_tokens.max())
        padded = F.pad(histories.clamp(min=-1) + 1, (1, 0), value=START)
        columns = torch.arange(width, device=histories.device)
        sources = (padded.shape[1] - n_tokens[:, None] + columns).clamp(max=padded.shape[1] - 1)
        return padded.gather(1, sources).masked_fill(columns >= n_tokens[:, None], START), n_tokens

    @torch.no_grad()
    def encode(self, histories: Lists, *, tokens_per_batch: int = 16_384) -> Tensor:
        """Return the states (N, d) float32, on the CPU, after histories of item ids (oldest first), without dropout.

        Histories of similar length are encoded together, so that little is computed on padding.
        """
        was_training = self.training
        self.eval()
        order = np.argsort(list_lengths(histories), kind="stable")[::-1].copy()
        matrix = padded_lists(histories, self.config.max_length, padding=-1)
        states = torch.empty(len(order), self.config.dimension)
        start = 0
        while start < len(order):
            longest = int((matrix[order[start]] >= 0).sum())
            rows = order[start : start + max(1, tokens_per_batch // (longest + 1))]
            batch = torch.from_numpy(matrix[rows][:, self.config.max_length - longest :]).to(self.device)
            states[torch.from_numpy(rows)] = self.states(batch).float().cpu()
            start += len(rows)
        self.train(was_training)
        return states
