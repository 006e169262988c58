"""Herding (Welling, 2009, doi 10.1145/1553374.1553517): a selection whose mean is the mean of the pool."""

from __future__ import annotations

import numpy as np

from coresift.compute import in_common_unit
from coresift.selection.budgets import largest, tie_ranks
from coresift.selection.candidate_pool import CandidatePool, RepresentationOption
from coresift.selection.selector import Budget, RandomState, Selection, Selector


class HerdingSelector(Selector):
    """Follows a weight vector that remembers what of the mean is still missing.

    Candidates are seen from the mean of the pool, so that where the origin lies does not matter: ``w = 0`` at first;
    then the candidate with the largest inner product with w is selected, and ``w = w - candidate``. The first one is
    thus drawn by the seed. No candidate is selected twice.
    """

    def __init__(
        self,
        budget: Budget = 1024,
        *,
        representation: RepresentationOption = "embedding",
        random_state: RandomState = 0,
    ) -> None:
        self.budget = budget
        self.representation = representation
        self.random_state = random_state

    @property
    def reads(self) -> tuple[str, ...]:
        """The inputs of a pool that are looked at with these options."""
        return (self.representation,)

    def _select(self, pool: CandidatePool) -> Selection:
        (rows,), unit = in_common_unit(pool.require(self.representation))
        ties = tie_ranks(len(pool), self.random_state)
        mean = rows.mean(axis=0, dtype=np.float64)
        centered = rows - mean.astype(rows.dtype)
        missing, is_open = np.zeros_like(mean), np.ones(len(pool), dtype=bool)
        chosen = np.empty(self.budget, dtype=np.int64)
        for step in range(self.budget):
            products = centered @ missing.astype(rows.dtype)
            chosen[step] = best = largest(np.where(is_open, products, -np.inf), ties)
            is_open[best] = False
            missing -= centered[best]
        gap = float(np.linalg.norm(missing)) / self.budget * unit
        return Selection(chosen, is_prefix_valid=True, figures={"distance_of_means": gap})
