"""Target-aligned loss drop (Yang et al., 2026, arXiv 2605.09404): what a warm-up on validation makes easier."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from coresift.selection.candidate_pool import CandidatePool
from coresift.selection.selector import Budget, RandomState, ScoreSelector


class TargetLossDropSelector(ScoreSelector):
    """Takes the candidates whose loss a short warm-up on the validation samples lowers most, relative to itself.

    The score is (loss before - loss after) / loss before, the paper's normalized endpoint loss drop. The warm-up has
    little capacity and sees validation samples only; where a part of them watches the tuning, keep that part out.
    """

    reads = ("loss_drop",)

    def __init__(self, budget: Budget = 1024, *, random_state: RandomState = 0) -> None:
        self.budget = budget
        self.random_state = random_state

    def _scores(self, pool: CandidatePool) -> NDArray[np.float64]:
        return pool.require_score("loss_drop")
