"""DEALRec with shuffled scores: the control that tells what the scores add to the sampling."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from coresift.selection.candidate_pool import CandidatePool
from coresift.selection.selectors.dealrec import DealrecSelector


class DealrecShuffledSelector(DealrecSelector):
    """Selects as DEALRec does, after handing the scores to candidates at random.

    A permutation control: the distribution of the scores, the strata and the budget stay, only who has which score is
    left to chance. What DEALRec (arXiv 2401.17197) gains over it, its scores gain. Options are those of
    `DealrecSelector`; `random_state` also seeds the permutation.
    """

    def _scores(self, pool: CandidatePool) -> NDArray[np.float64]:
        return np.random.default_rng([self.random_state, 1]).permutation(super()._scores(pool))
