"""DEALRec (arXiv 2401.17197): influence on the surrogate plus effort of the language model, over score strata."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Le, Lt
from numpy.typing import NDArray
from scipy.stats import rankdata
from typing_extensions import Doc

from coresift.selection.budgets import (
    best_first,
    draw_from_strata,
    quantile_strata,
    split_highest,
    tie_ranks,
    width_strata,
)
from coresift.selection.candidate_pool import CandidatePool
from coresift.selection.selector import Budget, RandomState, Selection, Selector

STRATA = {"width": width_strata, "quantile": quantile_strata}


class DealrecSelector(Selector):
    """Scores candidates by influence and effort, drops the hardest, and samples over strata of the score.

    ``score = influence + effort_weight * gradient_norm`` after normalizing both (Eq. 13). The paper's released code
    (github.com/Linxyhaha/DEALRec) is ``normalization="minmax", strata="width", n_strata=50, prune_share=0.1,
    quota_exponent=0`` with an effort weight of 0.3 on Games and 1 elsewhere. By default ranks are normalized instead,
    because a few outliers decide what min-max leaves of everybody else. What the influence aims at and what the
    effort is measured on are parameters of attribution.
    """

    reads = ("influence", "gradient_norm")

    def __init__(
        self,
        budget: Budget = 1024,
        *,
        effort_weight: Annotated[float, Ge(0), Doc("Weight of the gradient norm beside the influence.")] = 0.3,
        normalization: Annotated[
            Literal["rank", "minmax"], Doc("How both scores become comparable: by average ranks, or by their extremes.")
        ] = "rank",
        strata: Annotated[
            Literal["width", "quantile", "none"],
            Doc("Strata of equal score width (Algorithm 2), of equally many candidates, or the top scores."),
        ] = "width",
        n_strata: Annotated[int, Ge(1), Doc("How many strata.")] = 50,
        prune_share: Annotated[
            float,
            Ge(0),
            Lt(1),
            Doc("Share of the highest scores dropped first, as too hard; the code's, not the paper's."),
        ] = 0.1,
        quota_exponent: Annotated[
            float,
            Ge(0),
            Le(1),
            Doc("Shares of strata: 0 equal (Algorithm 2) to 1 in proportion to their sizes."),
        ] = 0.0,
        temperature: Annotated[
            float,
            Ge(0),
            Doc("Without strata: 0 takes the top scores, above 0 draws with odds exp(score / it)."),
        ] = 0.0,
        random_state: RandomState = 0,
    ) -> None:
        self.budget = budget
        self.effort_weight = effort_weight
        self.normalization = normalization
        self.strata = strata
        self.n_strata = n_strata
        self.prune_share = prune_share
        self.quota_exponent = quota_exponent
        self.temperature = temperature
        self.random_state = random_state

    def _select(self, pool: CandidatePool) -> Selection:
        scores, ties = self._scores(pool), tie_ranks(len(pool), self.random_state)
        kept, figures = split_highest(best_first(scores, ties), self.prune_share, self.budget)
        chosen, drawn = self._draw(kept, scores[kept])
        is_nested = self.strata == "none" and (self.temperature == 0 or not figures["returned_from_pruned"])
        figures |= drawn | {"zero_influence": int((pool.require("influence") == 0).sum())}
        return Selection(chosen, scores, is_prefix_valid=is_nested, figures=figures)

    def _scores(self, pool: CandidatePool) -> NDArray[np.float64]:
        influence, effort = pool.require("influence"), pool.require("gradient_norm")
        return _normalize(influence, self.normalization) + self.effort_weight * _normalize(effort, self.normalization)

    def _draw(self, kept: NDArray[np.int64], scores: NDArray[np.float64]) -> tuple[NDArray[np.int64], dict[str, Any]]:
        """Chooses among the kept candidates, which come in the method's own order."""
        generator = np.random.default_rng(self.random_state)
        if self.strata == "none":
            if self.temperature == 0:
                return kept[: self.budget], {}
            # The largest of scores with Gumbel noise are a draw without replacement (arXiv 1903.06059).
            noisy = scores / self.temperature + generator.gumbel(size=len(scores))
            return kept[np.argsort(-noisy, kind="stable")[: self.budget]], {}
        strata = STRATA[self.strata](scores, self.n_strata)
        draw = draw_from_strata(strata, self.budget, generator, exponent=self.quota_exponent)
        return kept[np.sort(draw.chosen)], {"strata_sizes": draw.sizes, "strata_taken": draw.taken}


def _normalize(values: NDArray[np.float64], how: str) -> NDArray[np.float64]:
    if how == "rank":
        return rankdata(values, method="average") / len(values)
    spread = values.max() - values.min()
    return (values - values.min()) / spread if spread > 0 else np.zeros_like(values)
