"""Moderate coreset (Xia et al., ICLR 2023, openreview.net/forum?id=7D5EECbOaf9): neither typical nor odd samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from coresift.compute import in_common_unit
from coresift.selection.candidate_pool import MATRICES, CandidatePool
from coresift.selection.nearness import cluster_rows
from coresift.selection.selector import ScoreSelector, check_choice, check_count

CLASSES = ("cluster", "label")


class ModerateSelector(ScoreSelector):
    """Takes the candidates whose distance to the mean of their class is nearest to the median distance.

    Args:
        budget: how many candidates to select.
        representation: "embedding", "gradient_feature" or "state".
        classes: "cluster" (k-means of the representation, as next-item samples have no classes) or "label".
        n_clusters: how many clusters at most.
        random_state: seed of k-means; also decides between equal scores.
    """

    def __init__(
        self,
        budget: int = 1024,
        *,
        representation: str = "embedding",
        classes: str = "cluster",
        n_clusters: int = 25,
        random_state: int = 0,
    ) -> None:
        self.budget = budget
        self.representation = representation
        self.classes = classes
        self.n_clusters = n_clusters
        self.random_state = random_state

    def _scores(self, pool: CandidatePool) -> NDArray[np.float64]:
        check_choice("representation", self.representation, MATRICES)
        check_choice("classes", self.classes, CLASSES)
        check_count("n_clusters", self.n_clusters)
        (rows,), unit = in_common_unit(pool.require(self.representation))
        label = pool.require("label") if self.classes == "label" else self._clusters(rows)
        _, place = np.unique(label, return_inverse=True)
        means = np.stack([rows[place == one].mean(axis=0) for one in range(place.max() + 1)])
        distances = np.linalg.norm(rows - means[place], axis=1).astype(np.float64)
        return -np.abs(distances - np.median(distances)) * unit

    def _clusters(self, rows: NDArray) -> NDArray[np.int64]:
        return cluster_rows(rows, self.n_clusters, self.random_state).labels_
