"""Random selection: the baseline that every method has to beat."""

from __future__ import annotations

import numpy as np

from coresift.selection.candidate_pool import CandidatePool
from coresift.selection.selector import Budget, RandomState, Selection, Selector


class RandomSelector(Selector):
    """Draws candidates uniformly without replacement."""

    reads = ()

    def __init__(self, budget: Budget = 1024, *, random_state: RandomState = 0) -> None:
        self.budget = budget
        self.random_state = random_state

    def _select(self, pool: CandidatePool) -> Selection:
        order = np.random.default_rng(self.random_state).permutation(len(pool))
        return Selection(order[: self.budget], is_prefix_valid=True)
