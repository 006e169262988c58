"""DEALRec (arXiv 2401.17197): influence on the surrogate plus effort of the language model, over score strata."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from coresift.selection.candidate_pool import CandidatePool
from coresift.selection.selector import Selection, Selector, check_choice

NORMALIZATIONS = ("rank", "minmax")
STRATA = ("width", "none")


class DealrecSelector(Selector):
    """Scores candidates by influence and effort, drops the hardest, and samples evenly over strata of the score.

    ``score = influence + effort_weight * gradient_norm`` after normalising both (Eq. 13). The paper's released code
    is ``normalization="minmax"``; by default ranks are normalised instead, because a few outliers decide what
    min-max leaves of everybody else.

    Args:
        budget: how many candidates to select.
        effort_weight: weight of the gradient norm beside the influence.
        normalization: "rank" (average rank, 0 to 1) or "minmax".
        strata: "width" (strata of equal score width, Algorithm 2) or "none" (the highest scores after pruning).
        n_strata: how many strata.
        prune_share: share of the highest scores that is dropped first, as too hard.
        random_state: seed of the draws within strata.
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
        random_state: int = 0,
    ) -> None:
        self.budget = budget
        self.effort_weight = effort_weight
        self.normalization = normalization
        self.strata = strata
        self.n_strata = n_strata
        self.prune_share = prune_share
        self.random_state = random_state

    def _select(self, pool: CandidatePool) -> Selection:
        self._check_options()
        influence, effort = pool.require("influence"), pool.require("gradient_norm")
        scores = _normalize(influence, self.normalization) + self.effort_weight * _normalize(effort, self.normalization)
        order = np.lexsort((np.arange(len(scores)), -scores))
        n_pruned = min(int(self.prune_share * len(scores) + 1e-9), len(scores) - self.budget)
        kept = order[n_pruned:]
        chosen = kept[: self.budget] if self.strata == "none" else self._sample_strata(kept, scores)
        chosen = chosen[np.lexsort((chosen, -scores[chosen]))]
        wanted = int(self.prune_share * len(scores) + 1e-9)
        figures = {"pruned": n_pruned, "returned_from_pruned": wanted - n_pruned}
        return Selection(chosen, scores, np.ones(self.budget), self.strata == "none", figures)

    def _sample_strata(self, kept: NDArray[np.int64], scores: NDArray[np.float64]) -> NDArray[np.int64]:
        """Visits strata from the smallest to the largest; each takes an equal share of what is left of the budget."""
        generator = np.random.default_rng(self.random_state)
        groups = sorted(_strata(kept, scores[kept], self.n_strata), key=len)
        left, chosen = self.budget, []
        for visited, group in enumerate(groups):
            size = min(len(group), left // (len(groups) - visited))
            chosen.append(generator.choice(group, size=size, replace=False))
            left -= size
        return np.concatenate(chosen)

    def _check_options(self) -> None:
        check_choice("normalization", self.normalization, NORMALIZATIONS)
        check_choice("strata", self.strata, STRATA)
        if self.n_strata < 1:
            raise ValueError(f"n_strata is {self.n_strata}: at least one stratum is needed.")
        if not 0 <= self.prune_share < 1:
            raise ValueError(f"prune_share is {self.prune_share}: it must be at least 0 and below 1.")


def _normalize(values: NDArray[np.float64], how: str) -> NDArray[np.float64]:
    if how == "rank":
        return rankdata(values, method="average") / len(values)
    spread = values.max() - values.min()
    return (values - values.min()) / spread if spread > 0 else np.zeros_like(values)


def _strata(rows: NDArray[np.int64], scores: NDArray[np.float64], n_strata: int) -> list[NDArray[np.int64]]:
    """The rows in strata of equal score width, empty ones left out."""
    low, width = scores.min(), scores.max() - scores.min()
    places = (scores - low) / width * n_strata if width > 0 else np.zeros(len(scores))
    stratum = places.astype(np.int64).clip(max=n_strata - 1)
    return [rows[stratum == one] for one in np.unique(stratum)]
