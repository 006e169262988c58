"""Nearest neighbors of validation: every validation sample takes its nearest candidate, in turn."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from coresift.compute import in_common_unit
from coresift.selection.candidate_pool import CandidatePool, RepresentationOption
from coresift.selection.nearness import round_robin
from coresift.selection.selector import (
    Budget,
    DeviceName,
    RandomState,
    Selection,
    Selector,
    both_sides,
    train_and_validation,
)
from coresift.transport import BlockCost


class KnnSelector(Selector):
    """Lets the validation samples, in a random order, take turns in choosing the nearest candidate that is left.

    The greedy round robin of targeted selection (compared in arXiv 2602.14696) over distances.
    """

    def __init__(
        self,
        budget: Budget = 1024,
        *,
        representation: RepresentationOption = "embedding",
        random_state: RandomState = 0,
        device: DeviceName = "auto",
    ) -> None:
        self.budget = budget
        self.representation = representation
        self.random_state = random_state
        self.device = device

    @property
    def reads(self) -> tuple[str, ...]:
        """The inputs of a pool that are looked at with these options."""
        return both_sides(self.representation)

    def _select(self, pool: CandidatePool) -> Selection:
        (train, valid), unit = in_common_unit(*train_and_validation(pool, self.representation))
        cost = BlockCost(valid, train, distance_scale=1.0, device=self.device)

        def closeness(targets: NDArray[np.int64]) -> torch.Tensor:
            return -torch.cat([block for _, block in cost.blocks(targets)])

        chosen, scores = round_robin(closeness, len(valid), len(train), self.budget, self.random_state)
        return Selection(chosen, scores * unit, is_prefix_valid=True)
