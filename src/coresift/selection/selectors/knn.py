"""Nearest neighbours of validation: every validation sample takes its nearest candidate, in turn."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from coresift.compute import in_common_unit
from coresift.selection.candidate_pool import CandidatePool
from coresift.selection.nearness import round_robin
from coresift.selection.selector import Selection, Selector, train_and_validation
from coresift.transport import BlockCost


class KnnSelector(Selector):
    """Lets the validation samples, in a random order, take turns in choosing the nearest candidate that is left.

    The greedy round robin of targeted selection (compared in arXiv 2602.14696) over distances.

    Args:
        budget: how many candidates to select.
        representation: "embedding", "gradient_feature" or "state".
        random_state: seed of the order in which validation samples choose.
        device: "auto", "cpu", "cuda" or "mps".
    """

    def __init__(
        self,
        budget: int = 1024,
        *,
        representation: str = "embedding",
        random_state: int = 0,
        device: str = "auto",
    ) -> None:
        self.budget = budget
        self.representation = representation
        self.random_state = random_state
        self.device = device

    def _select(self, pool: CandidatePool) -> Selection:
        (train, valid), unit = in_common_unit(*train_and_validation(pool, self.representation))
        cost = BlockCost(valid, train, distance_scale=1.0, device=self.device)

        def closeness(targets: NDArray[np.int64]) -> torch.Tensor:
            return -torch.cat([block for _, block in cost.blocks(targets)])

        chosen, scores = round_robin(closeness, len(valid), len(train), self.budget, self.random_state)
        return Selection(chosen, scores * unit, is_prefix_valid=True)
