"""For whom and for what a method works: users by activity, items by how well they are known."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from coresift.evaluation.methods import samples_to_test
from coresift.evaluation.ranking_evaluation import first_items, in_order_of, ordered_methods
from coresift.ranking import (
    bootstrap_columns,
    list_lengths,
    list_rows,
    lists_from_rows,
    ranking_metrics,
    remove_seen_targets,
)
from coresift.storage import TRAIN

ACTIVITY_GROUPS = 3
SLICE_K = 10
SLICE_METRICS = (f"recall@{SLICE_K}", f"ndcg@{SLICE_K}")


def evaluate_slices(
    rankings: pa.Table,
    samples: pa.Table,
    interactions: pa.Table,
    *,
    cold_below: int = 5,
    n_resamples: int = 10_000,
    random_state: int = 0,
) -> list[dict[str, Any]]:
    """Measure every method, history masked, on slices of users and of targets.

    ``activity`` splits the test users into three groups of about equal size by the length of their history.
    ``items`` splits the ground truth into cold items, which have few training interactions, and warm ones; a user
    counts where the slice leaves a target.

    Args:
        rankings: Method, masked, sample_id, items; every method lists every test sample.
        samples: Table ``samples``.
        interactions: Table ``interactions``.
        cold_below: Fewest training interactions of a warm item.
        n_resamples: Bootstrap draws of users.
        random_state: Seed of the draws.

    Returns:
        One entry per slice and method: ``slice``, ``group``, ``method``, ``users``, and per metric mean, low, high.

    Raises:
        ValueError: If a method lacks test samples or lists others.
    """
    users = samples_to_test(samples)
    targets, _ = remove_seen_targets(users["targets"], users["history"])
    masked = rankings.filter(pc.field("masked"))
    lists = {
        name: first_items(_lists_of(masked.filter(pc.field("method") == name), users, name)["items"], SLICE_K)
        for name in ordered_methods(rankings)
    }
    slices = [*_activity(users, targets), *_familiarity(targets, interactions, cold_below)]
    entries = [
        ({"slice": kind, "group": group, "method": method}, ranking_metrics(ids, part, (SLICE_K,)))
        for kind, group, part in slices
        for method, ids in lists.items()
    ]
    columns = np.stack([values[name] for _, values in entries for name in SLICE_METRICS], axis=1)
    figures = bootstrap_columns(columns, n_resamples=n_resamples, random_state=random_state)
    means = iter(
        [dict(zip(("mean", "low", "high"), map(float, row), strict=True)) for row in zip(*figures, strict=True)]
    )
    return [
        facts
        | {"users": int((~np.isnan(values[SLICE_METRICS[0]])).sum())}
        | {name: next(means) for name in SLICE_METRICS}
        for facts, values in entries
    ]


def _lists_of(rankings: pa.Table, users: pa.Table, method: str) -> pa.Table:
    complaint = f"Rankings of '{method}' do not cover the test samples: rank again."
    return in_order_of(rankings, users["sample_id"], complaint)


def _activity(users: pa.Table, targets: pa.ListArray) -> Iterator[tuple[str, str, pa.ListArray]]:
    """Targets of the users of each group by the length of the history; groups that are empty are left out."""
    lengths = list_lengths(users["history"])
    edges = np.quantile(lengths, np.arange(1, ACTIVITY_GROUPS) / ACTIVITY_GROUPS, method="higher")
    groups = np.searchsorted(edges, lengths, side="left")
    for group in np.unique(groups):
        inside = groups == group
        shortest, longest = lengths[inside].min(), lengths[inside].max()
        span = f"{shortest}" if shortest == longest else f"{shortest} to {longest}"
        yield "activity", f"history of {span}", _kept(targets, inside[list_rows(targets)[0]])


def _familiarity(
    targets: pa.ListArray, interactions: pa.Table, cold_below: int
) -> Iterator[tuple[str, str, pa.ListArray]]:
    """Targets that are cold, and those that are warm; a side without any target is left out."""
    train = interactions.filter(pc.equal(interactions["split"], TRAIN))
    _, items = list_rows(targets)
    counts = np.bincount(np.asarray(train["item_id"], dtype=np.int64), minlength=int(items.max(initial=0)) + 1)
    cold = counts[items] < cold_below
    for name, kept in ((f"cold, below {cold_below}", cold), (f"warm, from {cold_below}", ~cold)):
        if kept.any():
            yield "items", name, _kept(targets, kept)


def _kept(targets: pa.ListArray, kept: NDArray[np.bool_]) -> pa.ListArray:
    rows, items = list_rows(targets)
    return lists_from_rows(rows[kept], items[kept], len(targets))
