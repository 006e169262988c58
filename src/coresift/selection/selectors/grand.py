"""GraNd (Paul et al., 2021, arXiv 2107.07075): the samples with the largest gradient norms."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Doc

from coresift.selection.candidate_pool import CandidatePool
from coresift.selection.selector import Budget, RandomState, ScoreSelector


class GrandSelector(ScoreSelector):
    """Takes the candidates whose loss has the largest gradient norm.

    The paper averages the norm over many networks early in their training. As in DEALRec (arXiv 2401.17197) the
    surrogate stands in for the large model here, and one trained surrogate for many young networks.
    """

    def __init__(
        self,
        budget: Budget = 1024,
        *,
        score: Annotated[
            Literal["grand", "gradient_norm"],
            Doc("The surrogate's gradient at the sample's state, or the language model's."),
        ] = "grand",
        random_state: RandomState = 0,
    ) -> None:
        self.budget = budget
        self.score = score
        self.random_state = random_state

    @property
    def reads(self) -> tuple[str, ...]:
        """The inputs of a pool that are looked at with these options."""
        return (self.score,)

    def _scores(self, pool: CandidatePool) -> NDArray[np.float64]:
        return pool.require_score(self.score)
