"""Moderate coreset (Xia et al., ICLR 2023, openreview.net/forum?id=7D5EECbOaf9): neither typical nor odd samples."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge
from numpy.typing import NDArray
from typing_extensions import Doc

from coresift.compute import in_common_unit
from coresift.selection.candidate_pool import CandidatePool, RepresentationOption
from coresift.selection.nearness import cluster_rows
from coresift.selection.selector import Budget, RandomState, ScoreSelector


class ModerateSelector(ScoreSelector):
    """Takes the candidates whose distance to the mean of their class is nearest to the median distance."""

    def __init__(
        self,
        budget: Budget = 1024,
        *,
        representation: RepresentationOption = "embedding",
        classes: Annotated[
            Literal["cluster", "label"],
            Doc("k-means clusters, as next-item samples have no classes, or the samples' labels."),
        ] = "cluster",
        n_clusters: Annotated[int, Ge(1), Doc("Clusters at most.")] = 25,
        random_state: RandomState = 0,
    ) -> None:
        self.budget = budget
        self.representation = representation
        self.classes = classes
        self.n_clusters = n_clusters
        self.random_state = random_state

    @property
    def reads(self) -> tuple[str, ...]:
        """The inputs of a pool that are looked at with these options."""
        return (self.representation, "label") if self.classes == "label" else (self.representation,)

    def _scores(self, pool: CandidatePool) -> NDArray[np.float64]:
        (rows,), unit = in_common_unit(pool.require(self.representation))
        label = pool.require("label") if self.classes == "label" else self._clusters(rows)
        _, place = np.unique(label, return_inverse=True)
        means = np.stack([rows[place == one].mean(axis=0) for one in range(place.max() + 1)])
        distances = np.linalg.norm(rows - means[place], axis=1).astype(np.float64)
        return -np.abs(distances - np.median(distances)) * unit

    def _clusters(self, rows: NDArray) -> NDArray[np.int64]:
        return cluster_rows(rows, self.n_clusters, self.random_state).labels_
