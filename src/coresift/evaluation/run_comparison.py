"""Two runs, or two methods of one run, compared user by user."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from coresift.evaluation.summary import CLICK, method_title
from coresift.ranking import PairedDifference, paired_bootstrap_columns
from coresift.storage import newest_version, read_table

USER_METRICS = "user_metrics.parquet"
WORSE_BY = 0.1
"""A method is no worse when it loses less than this share of the other's mean, with 97.5 % confidence."""
IDENTIFIERS = ("sample_id", "user_id")


def compare_runs(
    first: pa.Table,
    second: pa.Table,
    *,
    method: str = "tuned",
    against: str | None = None,
    masked: bool = True,
    n_resamples: int = 10_000,
    random_state: int = 0,
) -> dict[str, Any]:
    """Compare the metrics of two runs on the same users by a paired bootstrap.

    Rows with a ``user_id`` are drawn by user, whose impressions stay together; other rows are users themselves.

    Args:
        first: Table ``user_metrics`` of one run.
        second: That of another run, or the same table to compare two methods of one run.
        method: Method of the first run.
        against: Method of the second run; None for the same one.
        masked: Whether the history is masked; it does not matter where a table has rows of one kind only, as that of
            a click run has.
        n_resamples: Bootstrap draws of users.
        random_state: Seed of the draws.

    Returns:
        ``method``, ``against``, ``masked``, ``users``, and per metric ``first`` and ``second`` (means), the mean
        ``difference`` with ``low`` and ``high`` of its 95 % interval, ``p_value``, ``better`` and ``worse`` (the
        interval lies on one side of 0) and ``no_worse`` (it lies above a loss of 10 % of the second mean). Of log
        losses and errors, less is better.

    Raises:
        ValueError: If a run lacks the method, or the runs were measured on different users or metrics.
    """
    ours, theirs = _values(first, method, masked), _values(second, against or method, masked)
    _check_paired(ours, theirs)
    names = [name for name in ours.column_names if name not in (*IDENTIFIERS, "masked")]
    columns = [np.stack([_column(table, name) for name in names], axis=1) for table in (ours, theirs)]
    both = ~np.isnan(columns[0][:, 0]) & ~np.isnan(columns[1][:, 0])
    a, b = columns[0][both], columns[1][both]
    users = np.unique(_users(ours)[both], return_inverse=True)[1]
    differences = paired_bootstrap_columns(a - b, groups=users, n_resamples=n_resamples, random_state=random_state)
    metrics = {
        name: _entry(name, float(a[:, place].mean()), float(b[:, place].mean()), found)
        for place, (name, found) in enumerate(zip(names, differences, strict=True))
    }
    facts = {"method": method, "against": against or method, "masked": ours["masked"][0].as_py()}
    return facts | {"users": int(users.max(initial=-1)) + 1} | metrics


def _entry(name: str, first: float, second: float, found: PairedDifference) -> dict[str, Any]:
    gains = (found.low, found.high) if name not in CLICK.lower_is_better else (-found.high, -found.low)
    return {
        "first": first,
        "second": second,
        "difference": found.mean_difference,
        "low": found.low,
        "high": found.high,
        "p_value": found.p_value,
        "better": gains[0] > 0,
        "worse": gains[1] < 0,
        "no_worse": gains[0] > -WORSE_BY * second,
    }


def _users(table: pa.Table) -> NDArray[np.int64]:
    return np.asarray(table["user_id" if "user_id" in table.column_names else "sample_id"], dtype=np.int64)


def read_user_metrics(place: Path) -> pa.Table:
    """Read ``user_metrics`` from its file, or the newest version below a data folder.

    Raises:
        ValueError: If nothing is found there.
    """
    if place.is_file():
        return read_table(place)
    found = newest_version(place / "reporting" / USER_METRICS)
    if found is None:
        raise ValueError(f"'{place}' holds no {USER_METRICS}: name such a file, or the data folder of an evaluated run")
    return read_table(found)


def comparison_lines(comparison: dict[str, Any]) -> list[str]:
    """Return a comparison as a table in text."""
    title = f"{method_title(comparison['method'])} against {method_title(comparison['against'])}"
    header = f"{'metric':<12} {'first':>8} {'second':>8} {'difference':>11} {'95 % interval':>20}"
    rows = [
        f"{name:<12} {entry['first']:>8.4f} {entry['second']:>8.4f} {entry['difference']:>+11.4f} "
        f"{entry['low']:>+9.4f} to {entry['high']:>+7.4f}  {verdict(entry)}"
        for name, entry in comparison.items()
        if isinstance(entry, dict)
    ]
    masking = "history masked" if comparison["masked"] else "nothing masked"
    return [title, header, *rows, f"{comparison['users']:,} users, {masking}"]


def verdict(entry: dict[str, Any]) -> str:
    """Say what an interval shows: better, no worse, worse, or nothing."""
    if entry["better"]:
        return "better"
    if entry["worse"]:
        return "worse"
    return "no worse" if entry["no_worse"] else "not decided"


def _values(table: pa.Table, method: str, masked: bool) -> pa.Table:
    kinds = table["masked"].unique().to_pylist()
    wanted = kinds[0] if len(kinds) == 1 else masked
    chosen = table.filter((pc.field("method") == method) & (pc.field("masked") == wanted)).sort_by("sample_id")
    if not len(chosen):
        known = ", ".join(sorted(set(table["method"].to_pylist())))
        raise ValueError(f"user_metrics holds no rows of '{method}' (masked: {wanted}): choose from {known}")
    return chosen.drop_columns(["method"])


def _column(table: pa.Table, name: str) -> NDArray[np.float64]:
    return table[name].to_numpy().astype(np.float64)


def _check_paired(ours: pa.Table, theirs: pa.Table) -> None:
    if ours.column_names != theirs.column_names:
        raise ValueError("the runs were measured with different metrics: evaluate both with the same version")
    if not ours["sample_id"].equals(theirs["sample_id"]):
        raise ValueError("the runs were measured on different users: compare runs on the same samples")
