"""All token sequences of a catalogue as one tree, in flat arrays that are walked without Python loops over rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

NO_NODE = -1


class TokenTrie:
    """A tree whose paths from the root are the distinct sequences.

    Nodes are numbered breadth first and by token, so that the children of a node follow one another and the edges are
    sorted by parent and token.

    Args:
        sequences: N lists of token ids; none is the beginning of another, which an end token makes sure of.
        vocabulary_size: One more than the largest token id.

    Attributes:
        token: (K,) token that leads to each node; -1 at the root, which is node 0.
        parent: (K,) parent of each node; -1 at the root.
        depth: (K,) distance from the root.
        first_child: (K,) the first child of each node.
        n_children: (K,) number of its children; 0 at the end of a sequence.
        leaf: (N,) node in which each sequence ends; equal sequences share it.

    Raises:
        ValueError: If a sequence is empty or the beginning of another.
    """

    def __init__(self, sequences: Sequence[Sequence[int]], vocabulary_size: int) -> None:
        self.vocabulary_size = vocabulary_size
        rows, inverse = np.unique(_padded(sequences), axis=0, return_inverse=True)
        nodes, token, parent, depth = _numbered(rows)
        lengths = (rows >= 0).sum(axis=1)
        ends = nodes[np.arange(len(rows)), lengths]
        self.leaf = torch.from_numpy(ends[inverse.ravel()])
        self.token, self.parent, self.depth = (torch.from_numpy(values) for values in (token, parent, depth))
        self.n_children = torch.bincount(self.parent[1:], minlength=len(token))
        self.first_child = 1 + self.n_children.cumsum(0) - self.n_children
        self.edges = self.parent[1:] * vocabulary_size + self.token[1:]
        if self.n_children[self.leaf].any() or not lengths.all():
            raise ValueError(
                "a sequence of tokens is empty or the beginning of another: end every sequence by one token"
            )

    def __len__(self) -> int:
        """Return the number of nodes."""
        return len(self.token)

    @property
    def longest(self) -> int:
        """Length of the longest sequence."""
        return int(self.depth.max())

    def to(self, device: torch.device) -> TokenTrie:
        """Move the arrays to a device, in place."""
        for name in ("leaf", "token", "parent", "depth", "n_children", "first_child", "edges"):
            setattr(self, name, getattr(self, name).to(device))
        return self

    def step(self, nodes: Tensor, tokens: Tensor) -> Tensor:
        """Return the child (R,) that a token leads to from each node; -1 where there is none."""
        keys = nodes * self.vocabulary_size + tokens
        edge = torch.searchsorted(self.edges, keys).clamp(max=len(self.edges) - 1)
        found = (nodes >= 0) & (self.edges[edge] == keys)
        return torch.where(found, edge + 1, NO_NODE)

    def walk(self, tokens: Tensor) -> Tensor:
        """Return the node (R,) that each row of tokens (R, L) leads to from the root; -1 where it leaves the tree."""
        nodes = torch.zeros(len(tokens), dtype=torch.int64, device=tokens.device)
        for column in tokens.T:
            nodes = self.step(nodes, column)
        return nodes

    def children(self, nodes: Tensor) -> tuple[Tensor, Tensor]:
        """Return pairs: the row in ``nodes`` (R,), none of them -1, and a child of its node, in order."""
        counts = self.n_children[nodes]
        rows = torch.repeat_interleave(torch.arange(len(nodes), device=nodes.device), counts)
        within = torch.arange(len(rows), device=nodes.device) - (counts.cumsum(0) - counts)[rows]
        return rows, self.first_child[nodes][rows] + within

    def allowed(self, nodes: Tensor) -> Tensor:
        """Return (R, vocabulary) booleans: the tokens that lead on from each node; none from -1."""
        mask = torch.zeros(len(nodes), self.vocabulary_size, dtype=torch.bool, device=nodes.device)
        inside = (nodes >= 0).nonzero().squeeze(1)
        rows, children = self.children(nodes[inside])
        mask[inside[rows], self.token[children]] = True
        return mask


def _padded(sequences: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    lengths = np.array([len(sequence) for sequence in sequences])
    matrix = np.full((len(lengths), int(lengths.max(initial=0))), -1, dtype=np.int64)
    inside = np.arange(matrix.shape[1]) < lengths[:, None]
    matrix[inside] = np.concatenate([np.asarray(sequence, dtype=np.int64) for sequence in sequences])
    return matrix


def _numbered(rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], ...]:
    """Number the prefixes of sorted distinct rows.

    Returns:
        The node (N, L + 1) of every prefix, -1 behind the end of a row; token, parent and depth (K,) of every node.
    """
    nodes = np.full((len(rows), rows.shape[1] + 1), -1, dtype=np.int64)
    nodes[:, 0] = 0
    fresh = np.zeros(len(rows), dtype=bool)
    fresh[0] = True
    tokens, parents, depths, count = [np.array([-1])], [np.array([-1])], [np.array([0])], 1
    for place in range(rows.shape[1]):
        fresh[1:] |= rows[1:, place] != rows[:-1, place]
        inside = rows[:, place] >= 0
        first = fresh & inside
        nodes[inside, place + 1] = count + np.cumsum(first)[inside] - 1
        tokens.append(rows[first, place])
        parents.append(nodes[first, place])
        depths.append(np.full(int(first.sum()), place + 1))
        count += int(first.sum())
    return nodes, np.concatenate(tokens), np.concatenate(parents), np.concatenate(depths)
