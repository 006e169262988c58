"""What selectors share that give every candidate a score and take the highest."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from numpy.typing import NDArray

from coresift.selection.candidate_pool import CandidatePool
from coresift.selection.ordering import best_first, tie_ranks
from coresift.selection.selector import Selection, Selector


class ScoreSelector(Selector):
    """Takes the candidates of the highest score; a prefix is the selection for a smaller budget.

    Attributes:
        random_state: decides between equal scores.
    """

    random_state: int

    def _select(self, pool: CandidatePool) -> Selection:
        scores = self._scores(pool)
        chosen = best_first(scores, tie_ranks(len(pool), self.random_state))[: self.budget]
        return Selection(chosen, scores, is_prefix_valid=True)

    @abstractmethod
    def _scores(self, pool: CandidatePool) -> NDArray[np.float64]:
        """Scores (T,), higher is better."""
