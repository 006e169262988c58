"""States of samples, found by the samples' ids."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

NO_STATE = torch.nan


class SampleStates:
    """The surrogate's states of many samples.

    Args:
        states: ``sample_id`` (N,), each once, and ``state`` (N, d): the dataset ``surrogate_states``, whose metadata
            name the surrogate.

    Raises:
        ValueError: If a sample occurs twice, or a state is not finite.
    """

    def __init__(self, states: Mapping[str, Tensor]) -> None:
        self.sample_id, order = states["sample_id"].long().sort()
        self.state = states["state"][order].float()
        self.surrogate: str | None = getattr(states, "metadata", {}).get("surrogate")
        if bool((self.sample_id[1:] == self.sample_id[:-1]).any()):
            raise ValueError("surrogate_states holds a sample twice: run the surrogate pipeline again")
        if not bool(self.state.isfinite().all()):
            raise ValueError("surrogate_states holds a state that is not finite: run the surrogate pipeline again")

    @property
    def state_dim(self) -> int:
        """Width of a state."""
        return self.state.shape[1]

    def of(self, sample_id: Tensor) -> Tensor:
        """Return the states (B, d) of samples (B,), on their device; a sample without a state has a row of NaN."""
        wanted = sample_id.cpu()
        places = torch.searchsorted(self.sample_id, wanted).clamp(max=max(0, len(self.sample_id) - 1))
        if not len(self.sample_id):
            return torch.full((len(wanted), self.state_dim), NO_STATE, device=sample_id.device)
        known = self.sample_id[places] == wanted
        return torch.where(known.unsqueeze(1), self.state[places], NO_STATE).to(sample_id.device)
