"""Coverage-centric selection, CCS (Zheng et al., 2023, arXiv 2210.15809): even draws over strata of difficulty."""

from __future__ import annotations

import numpy as np

from coresift.selection.budgets import best_first, draw_from_strata, split_highest, tie_ranks, width_strata
from coresift.selection.candidate_pool import DIFFICULTIES, CandidatePool
from coresift.selection.selector import Selection, Selector, check_choice, check_count, check_share


class CcsSelector(Selector):
    """Drops the hardest candidates and draws equally from strata of equal width of the difficulty.

    The paper takes the area under the margin as difficulty; EL2N as in DEALRec (arXiv 2401.17197) is the default.

    Args:
        budget: how many candidates to select.
        score: the difficulty: "el2n", "loss", "grand", "forgetting" or "gradient_norm".
        n_strata: how many strata.
        prune_share: share of the hardest candidates that is dropped first; the paper tunes it between 0 and 0.5.
        random_state: seed of the draws within strata.
    """

    def __init__(
        self,
        budget: int = 1024,
        *,
        score: str = "el2n",
        n_strata: int = 50,
        prune_share: float = 0.1,
        random_state: int = 0,
    ) -> None:
        self.budget = budget
        self.score = score
        self.n_strata = n_strata
        self.prune_share = prune_share
        self.random_state = random_state

    def _select(self, pool: CandidatePool) -> Selection:
        check_choice("score", self.score, DIFFICULTIES)
        check_count("n_strata", self.n_strata)
        check_share("prune_share", self.prune_share)
        scores, ties = pool.require_score(self.score), tie_ranks(len(pool), self.random_state)
        kept, figures = split_highest(best_first(scores, ties), self.prune_share, self.budget)
        strata = width_strata(scores[kept], self.n_strata)
        draw = draw_from_strata(strata, self.budget, np.random.default_rng(self.random_state))
        chosen = kept[np.sort(draw.chosen)]
        figures |= {"strata_sizes": draw.sizes, "strata_taken": draw.taken}
        return Selection(chosen, scores, figures=figures)
