"""What all adapted layers of one model read: the states of the samples at hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


class StateBinding:
    """What all adapted layers of one model read: the states of the samples at hand.

    Attributes:
        states: (B, d), or None where no sample has one.
        bound: Whether someone has said which states apply.
    """

    def __init__(self) -> None:
        self.states: Tensor | None = None
        self.bound = False

    def current(self, *, training: bool) -> Tensor | None:
        """Return the bound states; unbound, a model in evaluation mode mixes evenly.

        Raises:
            ValueError: If nothing is bound while training.
        """
        if training and not self.bound:
            raise ValueError("a personalised model in training needs states: wrap forward and backward in bind_states")
        return self.states

    @contextmanager
    def set(self, states: Tensor | None, *, bound: bool = True) -> Iterator[None]:
        """Bind states for a block, and give back what was bound before."""
        before = (self.states, self.bound)
        self.states, self.bound = states, bound
        try:
            yield
        finally:
            self.states, self.bound = before


def row_groups(rows: Tensor, n_samples: int) -> Tensor:
    """View the rows (N, ..., d) of a batch as (n_samples, N * ... / n_samples, d).

    Raises:
        ValueError: If N is no multiple of the number of samples.
    """
    if rows.shape[0] % n_samples:
        raise ValueError(
            f"bind_states: {n_samples} states are bound, but the batch has {rows.shape[0]} rows: bind one state per "
            "sample; rows of one sample follow one another"
        )
    return torch.reshape(rows, (n_samples, -1, rows.shape[-1]))
