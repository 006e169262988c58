"""Rows in groups: k-means that gives the same groups on every run."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from coresift.compute import one_openmp_thread


def cluster_rows(rows: NDArray, n_clusters: int, random_state: int) -> KMeans:
    """Fits k-means once, to at most as many clusters as there are different rows.

    Args:
        rows: (N, d).
        n_clusters: how many clusters.
        random_state: seed of the start.

    Returns:
        The fitted model; `labels_` (N,) says which row belongs where.
    """
    distinct = len(np.unique(rows[: 4 * n_clusters], axis=0))
    if distinct < n_clusters:
        distinct = len(np.unique(rows, axis=0))
    with one_openmp_thread():
        return KMeans(min(n_clusters, distinct), n_init=1, random_state=random_state).fit(rows)
