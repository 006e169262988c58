"""Facility location (Mirzasoleiman et al., 2020, CRAIG, arXiv 1906.01827): every candidate like some selected one."""

from __future__ import annotations

import numpy as np

from coresift.selection.candidate_pool import CandidatePool, RepresentationOption
from coresift.selection.selector import Budget, DeviceName, RandomState, Selection, Selector
from coresift.transport import BlockCost, greedy_medoids


class FacilityLocationSelector(Selector):
    """Maximizes the sum, over all candidates, of the similarity to the most similar selected one, greedily.

    The similarity of a pair is the largest distance of the pool less their distance. The greedy choice reaches
    1 - 1/e of the best sum (Nemhauser et al., 1978); gains are measured lazily, and exactly.
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
        return (self.representation,)

    def _select(self, pool: CandidatePool) -> Selection:
        order = np.random.default_rng(self.random_state).permutation(len(pool))
        rows = pool.require(self.representation)[order]
        cost = BlockCost(rows, rows, device=self.device)
        everyone = np.ones(len(pool), dtype=bool)
        chosen = order[greedy_medoids(cost, self.budget, np.empty(0, dtype=np.int64), everyone)]
        return Selection(chosen, is_prefix_valid=True)
