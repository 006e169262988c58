"""Stratified random selection: a random draw that keeps the mix of histories and targets."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Ge
from typing_extensions import Doc

from coresift.selection.budgets import quantile_strata, share_budget
from coresift.selection.candidate_pool import CandidatePool
from coresift.selection.selector import Budget, RandomState, Selection, Selector


class StratifiedRandomSelector(Selector):
    """Draws at random within cells of history length and target popularity, in proportion to their sizes.

    Proportional stratified sampling (Cochran, Sampling Techniques, chapter 5) over quantiles of both: the luck of a
    uniform draw is taken out of the two traits that recommendation quality depends on most.
    """

    reads = ("history_length", "target_popularity")

    def __init__(
        self,
        budget: Budget = 1024,
        *,
        n_bins: Annotated[int, Ge(1), Doc("Quantiles of each of the two traits.")] = 10,
        random_state: RandomState = 0,
    ) -> None:
        self.budget = budget
        self.n_bins = n_bins
        self.random_state = random_state

    def _select(self, pool: CandidatePool) -> Selection:
        lengths, popularity = pool.require_score("history_length"), pool.require_score("target_popularity")
        cell = quantile_strata(lengths, self.n_bins) * self.n_bins + quantile_strata(popularity, self.n_bins)
        names, sizes = np.unique(cell, return_counts=True)
        shares = share_budget(self.budget * sizes / len(pool), np.zeros_like(sizes), sizes, self.budget)
        generator = np.random.default_rng(self.random_state)
        draws = [
            generator.choice(np.flatnonzero(cell == name), size=share, replace=False)
            for name, share in zip(names, shares, strict=True)
        ]
        chosen = generator.permutation(np.concatenate(draws))
        return Selection(chosen, figures={"cells": len(names)})
