"""EL2N (Paul et al., 2021, arXiv 2107.07075): the samples that the surrogate predicts worst."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from coresift.selection.candidate_pool import CandidatePool
from coresift.selection.selector import Budget, RandomState, ScoreSelector


class El2nSelector(ScoreSelector):
    """Takes the candidates with the largest L2 norm of predicted probabilities minus the one-hot target.

    The paper averages over several networks early in training; here one trained surrogate speaks, with the softmax
    over the whole catalogue.
    """

    reads = ("el2n",)

    def __init__(self, budget: Budget = 1024, *, random_state: RandomState = 0) -> None:
        self.budget = budget
        self.random_state = random_state

    def _scores(self, pool: CandidatePool) -> NDArray[np.float64]:
        return pool.require_score("el2n")
