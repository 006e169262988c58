"""From lists to figures: metrics per user, means with intervals, and paired comparisons with the tuned model."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from coresift.evaluation.methods import METHODS, samples_to_test
from coresift.ranking import (
    bootstrap_columns,
    list_rows,
    paired_bootstrap_columns,
    ranking_metrics,
    remove_seen_targets,
)
from coresift.storage import places_of

KS = (5, 10, 20, 50)
"""Cut-offs of every metric; lists are stored up to the last one."""

Metrics: TypeAlias = dict[str, Any]
UserValues: TypeAlias = dict[tuple[str, bool], dict[str, NDArray[np.float64]]]


def evaluate_rankings(
    rankings: pa.Table,
    samples: pa.Table,
    *,
    ks: Sequence[int] = KS,
    n_resamples: int = 10_000,
    random_state: int = 0,
) -> tuple[Metrics, pa.Table]:
    """Measure every method on the same test users.

    The ground truth of a user is the set of all test items that are not in the history; masked and unmasked lists
    share it. Users whose ground truth is empty are left out of means and counted.

    Args:
        rankings: Method, masked, sample_id, items; every method lists every test sample.
        samples: Table `samples`.
        ks: Cut-offs.
        n_resamples: Bootstrap draws of users.
        random_state: Seed of the draws, which all methods share.

    Returns:
        The metrics document (users, users_without_targets, targets_in_history, rows of means with 95 % intervals,
        comparisons of the tuned model with every other method), and the table method, masked, sample_id and one
        column per metric.

    Raises:
        ValueError: A method lacks test samples or lists others.
    """
    users = samples_to_test(samples)
    targets, n_removed = remove_seen_targets(users["targets"], users["history"])
    values = _values_per_user(rankings, users["sample_id"], targets, ks)
    n_without = int(pc.sum(pc.equal(pc.list_value_length(targets), 0)).as_py())
    document: Metrics = {
        "users": users.num_rows - n_without,
        "users_without_targets": n_without,
        "targets_in_history": n_removed,
        "rows": _rows(values, n_resamples, random_state),
        "comparisons": _comparisons(values, n_resamples, random_state),
    }
    return document, _user_table(values, users["sample_id"])


def _values_per_user(
    rankings: pa.Table, sample_id: pa.ChunkedArray, targets: pa.ListArray, ks: Sequence[int]
) -> UserValues:
    ordered = ordered_methods(rankings)
    values: UserValues = {}
    for masked, method in itertools.product((True, False), ordered):
        rows = pc.and_(pc.equal(rankings["method"], method), pc.equal(rankings["masked"], masked))
        complaint = f"Rankings of '{method}' (masked: {masked}) do not cover the test samples: rank again."
        chosen = in_order_of(rankings.filter(rows), sample_id, complaint)
        values[method, masked] = ranking_metrics(first_items(chosen["items"], max(ks)), targets, ks)
    return values


def in_order_of(table: pa.Table, sample_id: pa.ChunkedArray, complaint: str) -> pa.Table:
    """Return the rows of a table in the order of some samples, joined by ``sample_id``.

    Raises:
        ValueError: The table does not hold each of these samples once and no other; ``complaint`` is what it says.
    """
    wanted, known = sample_id.to_numpy(), table["sample_id"].to_numpy()
    if not np.array_equal(np.sort(known), np.sort(wanted)):
        raise ValueError(complaint)
    return table.take(pa.array(places_of(wanted, known, dataset="the table")))


def ordered_methods(rankings: pa.Table) -> list[str]:
    """Return the methods of some rankings in the order of every table."""
    return sorted(rankings["method"].unique().to_pylist(), key=_place)


def _place(method: str) -> tuple[int, str]:
    """Where a method stands in every table: by its name without suffixes, then by these."""
    name = method.partition("+")[0]
    return METHODS.index(name) if name in METHODS else len(METHODS), method


def first_items(items: pa.ChunkedArray, width: int) -> NDArray[np.int64]:
    """Return the first items of every list as (U, width), padded on the right with -1."""
    rows, values = list_rows(items)
    rows, values = rows[values != -1], values[values != -1]
    counts = np.bincount(rows, minlength=len(items))
    place = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    first = np.full((len(items), width), -1, dtype=np.int64)
    first[rows[place < width], place[place < width]] = values[place < width]
    return first


def _rows(values: UserValues, n_resamples: int, random_state: int) -> list[Metrics]:
    columns = [column for metrics in values.values() for column in metrics.values()]
    mean, low, high = bootstrap_columns(np.stack(columns, axis=1), n_resamples=n_resamples, random_state=random_state)
    intervals = iter(zip(mean.tolist(), low.tolist(), high.tolist(), strict=True))
    return [
        {"method": method, "masked": masked}
        | {name: dict(zip(("mean", "low", "high"), next(intervals), strict=True)) for name in metrics}
        for (method, masked), metrics in values.items()
    ]


def _comparisons(values: UserValues, n_resamples: int, random_state: int) -> list[Metrics]:
    """Compare the tuned model with every other method, masked with masked and unmasked with unmasked."""
    pairs = [(key, values["tuned", key[1]]) for key in values if key[0] != "tuned" and ("tuned", key[1]) in values]
    if not pairs:
        return []
    columns = [tuned[name] - values[key][name] for key, tuned in pairs for name in tuned]
    differences = iter(
        paired_bootstrap_columns(np.stack(columns, axis=1), n_resamples=n_resamples, random_state=random_state)
    )
    return [
        {"method": "tuned", "against": other, "masked": masked} | {name: asdict(next(differences)) for name in tuned}
        for (other, masked), tuned in pairs
    ]


def _user_table(values: UserValues, sample_id: pa.ChunkedArray) -> pa.Table:
    tables = [
        pa.table(
            {
                "method": pa.repeat(pa.scalar(method), len(sample_id)),
                "masked": pa.repeat(pa.scalar(masked), len(sample_id)),
                "sample_id": sample_id,
                **{name: pa.array(column, pa.float32()) for name, column in metrics.items()},
            }
        )
        for (method, masked), metrics in values.items()
    ]
    return pa.concat_tables(tables).combine_chunks()
