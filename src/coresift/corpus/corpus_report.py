"""Figures about a corpus: rows after every step, splits, histories, cold items."""

from __future__ import annotations

from typing import Any

import ibis.expr.types as ir

from coresift.corpus.engine import Engine
from coresift.corpus.splits import SPLITS


def describe_splits(interactions: ir.Table, samples: ir.Table, engine: Engine) -> dict[str, dict[str, Any]]:
    """Return, by split, the numbers of users, items, interactions and samples, and the lengths of histories.

    Args:
        interactions: The table of that contract.
        samples: The table of that contract.
        engine: Where to count.
    """
    counts = engine.rows(
        interactions.group_by("split").agg(
            users=interactions["user_id"].nunique(),
            items=interactions["item_id"].nunique(),
            interactions=interactions.count(),
        )
    )
    lengths = engine.rows(
        samples.group_by("split").agg(
            samples=samples.count(),
            positives=samples["label"].cast("int64").sum(),
            mean=samples["history"].length().mean(),
            median=samples["history"].length().median(),
            max=samples["history"].length().max(),
        )
    )
    counts_by_split = {row.pop("split"): row for row in counts}
    lengths_by_split = {row.pop("split"): row for row in lengths}
    nothing: dict[str, Any] = {"users": 0, "items": 0, "interactions": 0}
    return {
        name: {
            **counts_by_split.get(split, nothing),
            "samples": lengths_by_split.get(split, {}).pop("samples", 0),
            "positive_samples": lengths_by_split.get(split, {}).pop("positives", 0),
            "history_length": lengths_by_split.get(split, {}),
        }
        for name, split in SPLITS.items()
    }


def cold_item_share(interactions: ir.Table, engine: Engine) -> float | None:
    """Return the share of test interactions whose item has none in training; None without test interactions."""
    train = interactions.filter(interactions["split"] == SPLITS["train"])
    test = interactions.filter(interactions["split"] == SPLITS["test"])
    known = train.select(trained="item_id").distinct()
    cold = test.left_join(known, test["item_id"] == known["trained"])
    share = engine.value(cold["trained"].isnull().cast("float64").mean())
    return None if share is None else float(str(share))


def check_samples(splits: dict[str, dict[str, Any]], source: str, *, method: str, min_history: int) -> None:
    """Stop unless there is something to train on and something to validate with.

    Args:
        splits: What ``describe_splits`` returned.
        source: What messages call the interactions.
        method: How they were split.
        min_history: Shortest history of a training sample.

    Raises:
        ValueError: If there are no training samples or no validation users.
    """
    if splits["train"]["samples"] == 0:
        raise ValueError(
            f"{source} gives no training sample: no user has a training interaction after {min_history} others: give "
            f"more interactions, lower ingestion.min_history or ingestion.k_core, or choose another ingestion.split."
        )
    if splits["valid"]["samples"] == 0:
        raise ValueError(
            f"{source} gives no validation users under ingestion.split = {method}: choose another split "
            f"(leave_one_out needs three interactions of one user), or give more interactions."
        )


def check_labels(splits: dict[str, dict[str, Any]], source: str, positive_rating: float) -> None:
    """Stop unless click samples of both labels are there to train on.

    Raises:
        ValueError: If all training samples have one label.
    """
    positives, total = splits["train"]["positive_samples"], splits["train"]["samples"]
    if positives in (0, total):
        raise ValueError(
            f"{source} gives {positives} training samples of label 1 and {total - positives} of label 0: clicks need "
            f"both: set ingestion.positive_rating (now {positive_rating:g}) between the ratings, or "
            f"ingestion.negatives where there are none."
        )
