"""Coverage-centric selection, CCS (Zheng et al., 2023, arXiv 2210.15809): even draws over strata of difficulty."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Ge, Lt
from typing_extensions import Doc

from coresift.selection.budgets import best_first, draw_from_strata, split_highest, tie_ranks, width_strata
from coresift.selection.candidate_pool import CandidatePool, DifficultyOption
from coresift.selection.selector import Budget, RandomState, Selection, Selector


class CcsSelector(Selector):
    """Drops the hardest candidates and draws equally from strata of equal width of the difficulty.

    The paper takes the area under the margin as difficulty; EL2N as in DEALRec (arXiv 2401.17197) is the default.
    """

    def __init__(
        self,
        budget: Budget = 1024,
        *,
        score: DifficultyOption = "el2n",
        n_strata: Annotated[int, Ge(1), Doc("How many strata of equal width.")] = 50,
        prune_share: Annotated[
            float, Ge(0), Lt(1), Doc("Share of the hardest candidates dropped first; the paper tunes it from 0 to 0.5.")
        ] = 0.1,
        random_state: RandomState = 0,
    ) -> None:
        self.budget = budget
        self.score = score
        self.n_strata = n_strata
        self.prune_share = prune_share
        self.random_state = random_state

    @property
    def reads(self) -> tuple[str, ...]:
        """The inputs of a pool that are looked at with these options."""
        return (self.score,)

    def _select(self, pool: CandidatePool) -> Selection:
        scores, ties = pool.require_score(self.score), tie_ranks(len(pool), self.random_state)
        kept, figures = split_highest(best_first(scores, ties), self.prune_share, self.budget)
        strata = width_strata(scores[kept], self.n_strata)
        draw = draw_from_strata(strata, self.budget, np.random.default_rng(self.random_state))
        chosen = kept[np.sort(draw.chosen)]
        figures |= {"strata_sizes": draw.sizes, "strata_taken": draw.taken}
        return Selection(chosen, scores, figures=figures)
