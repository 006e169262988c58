"""Random selection: the baseline that every method has to beat."""

from __future__ import annotations

import numpy as np

from coresift.selection.candidate_pool import CandidatePool
from coresift.selection.selector import Selection, Selector


class RandomSelector(Selector):
    """Draws candidates uniformly without replacement.

    Args:
        budget: how many candidates to select.
        random_state: seed of the draw.
    """

    def __init__(self, budget: int = 1024, *, random_state: int = 0) -> None:
        self.budget = budget
        self.random_state = random_state

    def _select(self, pool: CandidatePool) -> Selection:
        order = np.random.default_rng(self.random_state).permutation(len(pool))
        return Selection(order[: self.budget], is_prefix_valid=True)
