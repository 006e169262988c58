"""Coverage of states: any selector, applied within groups of similar users so that none of them goes without."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
from annotated_types import Ge
from numpy.typing import NDArray
from sklearn.base import clone
from typing_extensions import Doc

from coresift.compute import in_common_unit
from coresift.selection.budgets import share_budget
from coresift.selection.candidate_pool import CandidatePool
from coresift.selection.nearness import cluster_rows
from coresift.selection.selector import Budget, RandomState, Selection, Selector, both_sides

LEAST_SHARE = 0.5
"""Every group gets at least this share of what it would get if all groups got the same, rounded up."""


class StateCoveringSelector(Selector):
    """Shares the budget among clusters of surrogate states and lets a selector choose within each.

    A personalized mixture of adapters routes users by their surrogate state (RecLoRA, arXiv 2408.03533): a region of
    states without training samples leaves its adapters untrained. Budgets follow the sizes of the clusters, but none
    falls below half of an equal share, rounded up, where the cluster is large enough and the budget reaches the number
    of clusters. Within a cluster the selector sees the validation samples of that cluster, or all of them where it has
    none.
    """

    def __init__(
        self,
        selector: Annotated[
            Selector, Doc("What chooses within a cluster, without options that name positions of the pool.")
        ],
        budget: Budget = 1024,
        *,
        n_clusters: Annotated[int, Ge(1), Doc("Clusters at most.")] = 4,
        random_state: RandomState = 0,
    ) -> None:
        self.selector = selector
        self.budget = budget
        self.n_clusters = n_clusters
        self.random_state = random_state

    @property
    def reads(self) -> tuple[str, ...]:
        """What the selector within a cluster looks at, and states."""
        return self.selector.reads + both_sides("state")

    def _select(self, pool: CandidatePool) -> Selection:
        (states, validation_states), _ = in_common_unit(pool.require("state"), pool.require("validation_state"))
        model = cluster_rows(states, self.n_clusters, self.random_state)
        groups = [np.flatnonzero(model.labels_ == one) for one in range(model.n_clusters)]
        owner = model.predict(validation_states)
        budgets = self._budgets([len(group) for group in groups])
        scores = np.full(len(pool), np.nan)
        indices, weights, places = [], [], []
        for one, (group, budget) in enumerate(zip(groups, budgets, strict=True)):
            if budget:
                own = np.flatnonzero(owner == one)
                part = pool.subset(group, own if len(own) else np.arange(len(owner)))
                chosen = clone(self.selector).set_params(budget=int(budget)).fit(part)
                indices.append(group[chosen.selected_indices_])
                weights.append(chosen.weights_)
                scores[group] = chosen.scores_
                places.append((np.arange(budget) + 0.5) / budget)
        order = np.argsort(np.concatenate(places), kind="stable")
        figures = {"state_clusters": [len(group) for group in groups], "state_budgets": budgets.tolist()}
        return Selection(np.concatenate(indices)[order], scores, np.concatenate(weights)[order], figures=figures)

    def _budgets(self, sizes: list[int]) -> NDArray[np.int64]:
        most = np.array(sizes)
        guaranteed = math.ceil(LEAST_SHARE * self.budget / len(sizes)) if self.budget >= len(sizes) else 0
        least = np.minimum(most, guaranteed)
        return share_budget(self.budget * most / most.sum(), least, most, self.budget)
