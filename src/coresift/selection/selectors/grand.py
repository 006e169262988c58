"""GraNd (Paul et al., 2021, arXiv 2107.07075): the samples with the largest gradient norms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from coresift.selection.candidate_pool import CandidatePool
from coresift.selection.selector import ScoreSelector, check_choice

SCORES = ("grand", "gradient_norm")


class GrandSelector(ScoreSelector):
    """Takes the candidates whose loss has the largest gradient norm.

    The paper averages the norm over many networks early in their training. As in DEALRec (arXiv 2401.17197) the
    surrogate stands in for the large model here, and one trained surrogate for many young networks.

    Args:
        budget: how many candidates to select.
        score: "grand" (the surrogate's gradient at the sample's state) or "gradient_norm" (the language model's).
        random_state: decides between equal norms.
    """

    def __init__(self, budget: int = 1024, *, score: str = "grand", random_state: int = 0) -> None:
        self.budget = budget
        self.score = score
        self.random_state = random_state

    def _scores(self, pool: CandidatePool) -> NDArray[np.float64]:
        check_choice("score", self.score, SCORES)
        return pool.require_score(self.score)
