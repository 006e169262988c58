"""DEALRec (arXiv 2401.17197): influence on the surrogate plus effort of the language model, over score strata."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from coresift.selection.budgets import (
    best_first,
    draw_from_strata,
    quantile_strata,
    split_highest,
    tie_ranks,
    width_strata,
)
from coresift.selection.candidate_pool import CandidatePool
from coresift.selection.selector import Selection, Selector, check_choice, check_count, check_share

NORMALIZATIONS = ("rank", "minmax")
STRATA = {"width": width_strata, "quantile": quantile_strata}


class DealrecSelector(Selector):
    """Scores candidates by influence and effort, drops the hardest, and samples over strata of the score.

    ``score = influence + effort_weight * gradient_norm`` after normalising both (Eq. 13). The paper's released code
    (github.com/Linxyhaha/DEALRec) is ``normalization="minmax", strata="width", n_strata=50, prune_share=0.1,
    quota_exponent=0`` with an effort weight of 0.3 on Games and 1 elsewhere. By default ranks are normalised instead,
    because a few outliers decide what min-max leaves of everybody else. What the influence aims at and what the
    effort is measured on are parameters of attribution.

    Args:
        budget: how many candidates to select.
        effort_weight: weight of the gradient norm beside the influence.
        normalization: "rank" (average rank, 0 to 1) or "minmax".
        strata: "width" (strata of equal score width, Algorithm 2), "quantile" (equally many candidates) or "none"
            (the highest scores after pruning).
        n_strata: how many strata.
        prune_share: share of the highest scores that is dropped first, as too hard; the code's, not the paper's.
        quota_exponent: a stratum's share of the budget grows with its size to this power: 0 for equal shares
            (Algorithm 2) to 1 for proportional ones.
        temperature: without strata, 0 takes the highest scores; above 0 candidates are drawn without replacement with
            odds exp(score / temperature).
        random_state: seed of all draws, and of the order of equal scores.
    """

    def __init__(
        self,
        budget: int = 1024,
        *,
        effort_weight: float = 0.3,
        normalization: str = "rank",
        strata: str = "width",
        n_strata: int = 50,
        prune_share: float = 0.1,
        quota_exponent: float = 0.0,
        temperature: float = 0.0,
        random_state: int = 0,
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
        self._check_options()
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

    def _check_options(self) -> None:
        check_choice("normalization", self.normalization, NORMALIZATIONS)
        check_choice("strata", self.strata, (*STRATA, "none"))
        check_count("n_strata", self.n_strata)
        check_share("prune_share", self.prune_share)
        if not 0 <= self.quota_exponent <= 1:
            raise ValueError(f"quota_exponent is {self.quota_exponent}: it must lie between 0 and 1.")
        if not self.temperature >= 0:
            raise ValueError(f"temperature is {self.temperature}: it cannot be negative.")


def _normalize(values: NDArray[np.float64], how: str) -> NDArray[np.float64]:
    if how == "rank":
        return rankdata(values, method="average") / len(values)
    spread = values.max() - values.min()
    return (values - values.min()) / spread if spread > 0 else np.zeros_like(values)
