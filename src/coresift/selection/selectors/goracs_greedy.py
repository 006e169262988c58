"""The greedy start of GORACS (arXiv 2506.04015) alone: nearness to validation without balanced transport."""

from __future__ import annotations

import numpy as np

from coresift.selection.candidate_pool import CandidatePool, RepresentationOption
from coresift.selection.selector import Budget, DeviceName, RandomState, Selection, Selector
from coresift.selection.selectors.goracs import served_shares
from coresift.selection.selectors.goracs_cost import GradientWeight, cost_inputs, goracs_cost
from coresift.transport import greedy_medoids


class GoracsGreedySelector(Selector):
    """Adds candidates one by one, each lowering the mean cost of the nearest selected candidate most.

    The ablation of `GoracsSelector`: the same cost, but no transport problem is solved, so that one candidate may
    serve any number of validation samples.
    """

    def __init__(
        self,
        budget: Budget = 1024,
        *,
        gradient_weight: GradientWeight = 0.1,
        representation: RepresentationOption = "embedding",
        random_state: RandomState = 0,
        device: DeviceName = "auto",
    ) -> None:
        self.budget = budget
        self.gradient_weight = gradient_weight
        self.representation = representation
        self.random_state = random_state
        self.device = device

    @property
    def reads(self) -> tuple[str, ...]:
        """The inputs of a pool that are looked at with these options."""
        return cost_inputs(self.representation, gradient_weight=self.gradient_weight)

    def _select(self, pool: CandidatePool) -> Selection:
        order = np.random.default_rng(self.random_state).permutation(len(pool))
        cost = goracs_cost(
            pool, representation=self.representation, gradient_weight=self.gradient_weight, device=self.device
        )
        shuffled = cost.subset(order, np.arange(cost.n_targets))
        everyone = np.ones(len(pool), dtype=bool)
        chosen = order[greedy_medoids(shuffled, self.budget, np.empty(0, dtype=np.int64), everyone)]
        return Selection(chosen, weights=served_shares(cost, chosen), is_prefix_valid=True)
