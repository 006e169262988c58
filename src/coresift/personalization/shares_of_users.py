"""The shares of every user as a compact table, and groups of users who share them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from torch import Tensor

from coresift.compute import one_openmp_thread
from coresift.personalization.sample_states import NO_STATE
from coresift.personalization.saved_mixture import SavedMixture


def user_gates(mixture: SavedMixture, user_id: NDArray[np.int64], states: Tensor) -> pa.Table:
    """Return what serving needs to know of every user: four bytes per adapter and gate.

    Args:
        mixture: A personalized adapter.
        user_id: (U,) ids.
        states: (U, d) the newest state of each user; a row of NaN is a user without one.

    Returns:
        ``user_id`` and ``shares``, a list of n_gates * n_adapters float32 (n_gates is 1 where all layers share one
        gate, else the number of adapted layers). The metadata name the adapter, whose shares these are.
    """
    flat = mixture.shares(states).flatten().numpy()
    lists = pa.FixedSizeListArray.from_arrays(pa.array(flat, pa.float32()), mixture.shape[0] * mixture.shape[1])
    table = pa.table({"user_id": pa.array(user_id, pa.int32()), "shares": lists})
    return table.replace_schema_metadata({"adapter": mixture.fingerprint})


def user_shares(gates: pa.Table, mixture: SavedMixture, user_id: int) -> Tensor:
    """Return the shares (n_gates, m) of one user; equal shares where the table does not know the user.

    Raises:
        ValueError: If the table was made with another adapter.
    """
    made_by = (gates.schema.metadata or {}).get(b"adapter", b"").decode()
    if made_by != mixture.fingerprint:
        raise ValueError("the table of user gates belongs to another adapter: export it again")
    found = np.flatnonzero(np.asarray(gates["user_id"]) == user_id)
    if not len(found):
        return mixture.shares(torch.full((1, mixture.config.state_dim), NO_STATE))[0]
    row = np.array(gates["shares"][int(found[0])].values, dtype=np.float32)
    return torch.from_numpy(row).view(mixture.shape)


def cluster_users(shares: Tensor, n_clusters: int, *, random_state: int = 0) -> tuple[NDArray[np.int64], Tensor]:
    """Group users by their shares (k-means).

    Args:
        shares: (U, n_gates, m).
        n_clusters: Groups at most.
        random_state: Seed of the start.

    Returns:
        The group (U,) of every user, and the mean shares (n_clusters, n_gates, m) of every group.
    """
    flat = shares.flatten(1).double().numpy()
    with one_openmp_thread():
        found = KMeans(min(n_clusters, len(flat)), random_state=random_state, n_init=4).fit(flat)
    centers = torch.from_numpy(found.cluster_centers_).float().view(-1, *shares.shape[1:])
    return found.labels_.astype(np.int64), centers / centers.sum(-1, keepdim=True)
