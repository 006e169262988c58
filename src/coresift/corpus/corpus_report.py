"""Figures about a corpus: rows after every step, splits, histories, cold items."""

from __future__ import annotations

from typing import Any

import ibis.expr.types as ir

from coresift.corpus.engines.engine import Engine
from coresift.corpus.sampling.histories import LONGEST_UNASKED
from coresift.corpus.sampling.splits import BY_USER
from coresift.storage import SPLITS, TEST, TRAIN

_MONTH = 30 * 86_400_000
"""Milliseconds of the steps in time."""

Counts = list[dict[str, Any]]


def distributions(interactions: ir.Table, engine: Engine) -> dict[str, Counts]:
    """Count users, items and interactions by what people look at first.

    Args:
        interactions: The table of that contract.
        engine: Where to count.

    Returns:
        ``users_by_length``: users by number of interactions, in powers of two (``from``, ``users``);
        ``items_by_popularity``: items by number of training interactions (``from``, ``items``), where items that only
        occur later count as 0; ``interactions_by_time``: by steps of 30 days (``from``, ms) and ``split``.
    """
    lengths = interactions.group_by("user_id").agg(n=interactions.count())
    is_training = (interactions["split"] == TRAIN).cast("int64")
    popularity = interactions.group_by("item_id").agg(n=is_training.sum())
    timed = interactions.filter(interactions["timestamp"].notnull())
    step = (timed["timestamp"] // _MONTH * _MONTH).cast("int64")
    by_time = timed.group_by(step.name("from"), "split").agg(interactions=timed.count())
    return {
        "users_by_length": engine.rows(_by_power_of_two(lengths, "users")),
        "items_by_popularity": engine.rows(_by_power_of_two(popularity, "items")),
        "interactions_by_time": engine.rows(by_time.order_by("from", "split")),
    }


def _by_power_of_two(counted: ir.Table, name: str) -> ir.Table:
    """Count rows by the largest power of two that is not above ``n``."""
    power = counted["n"] * 0
    for exponent in range(32):
        power = (counted["n"] >= 2**exponent).ifelse(2**exponent, power)
    grouped = counted.group_by(power.cast("int64").name("from")).agg(counted.count().name(name))
    return grouped.order_by("from")


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


def _cold_item_share(interactions: ir.Table, engine: Engine) -> float | None:
    """Return the share of test interactions whose item has none in training; None without test interactions."""
    train = interactions.filter(interactions["split"] == TRAIN)
    test = interactions.filter(interactions["split"] == TEST)
    known = train.select(trained="item_id").distinct()
    cold = test.left_join(known, test["item_id"] == known["trained"])
    share = engine.value(cold["trained"].isnull().cast("float64").mean())
    return None if share is None else float(str(share))


def describe_corpus(interactions: ir.Table, samples: ir.Table, engine: Engine) -> dict[str, Any]:
    """Return what is said about a corpus beyond its splits: samples without history, cold items, distributions.

    Args:
        interactions: The table of that contract.
        samples: The table of that contract.
        engine: Where to count.
    """
    return {
        "samples_without_history": _without_history(samples, engine),
        "cold_item_share_of_test": _cold_item_share(interactions, engine),
        "distributions": distributions(interactions, engine),
    }


def _without_history(samples: ir.Table, engine: Engine) -> dict[str, int]:
    """Return, by held-out split, the number of samples of which nothing earlier is known."""
    bare = samples.filter(samples["history"].length() == 0)
    counts = {row["split"]: row["n"] for row in engine.rows(bare.group_by("split").agg(n=bare.count()))}
    return {name: int(str(counts.get(split, 0))) for name, split in SPLITS.items() if split > TRAIN}


def warnings_about(report: dict[str, Any]) -> list[str]:
    """Return sentences on what is no error but seldom meant.

    Args:
        report: Its ``profiles`` (rows, matched), ``split``, ``splits``, ``samples_without_history`` and
            ``cut_histories``.
    """
    profiles, bare, n_cut = report["profiles"], report["samples_without_history"], report["cut_histories"]
    n_test = report["splits"]["test"]["samples"]
    found = {
        f"no profile matched any user: none of the {profiles['rows']} rows of raw_users has the user_id of an "
        f"interaction, so that every profile is empty; write ids alike in both tables": (
            profiles["rows"] > 0 and profiles["matched"] == 0
        ),
        f"{bare['test']} of {n_test} test samples have no history, because their users have nothing in earlier "
        f"splits: what is said about them does not depend on the user": bare["test"] * 2 > n_test,
        f"{n_cut} histories were cut to their latest {LONGEST_UNASKED} interactions: set ingestion.max_history to "
        f"choose the length": n_cut > 0,
        f"ingestion.split = {report['split']} holds out each user's own latest interactions: validation is no window "
        f"of time, so that popular_recently and the recent-popularity prior count interactions of any time": (
            report["split"] in BY_USER
        ),
    }
    return [sentence for sentence, holds in found.items() if holds]


def check_samples(splits: dict[str, dict[str, Any]], source: str, *, method: str, min_history: int) -> None:
    """Stop unless there is something to train on, to validate with and to evaluate on.

    Args:
        splits: What ``describe_splits`` returned.
        source: What messages call the interactions.
        method: How they were split.
        min_history: Shortest history of a training sample.

    Raises:
        ValueError: If there are no training samples, no validation users or no test users.
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
    if splits["test"]["samples"] == 0:
        raise ValueError(
            f"{source} gives no test users under ingestion.split = {method}, so that what is trained could not be "
            f"evaluated: choose another split, or mark the interactions of some users as test."
        )


def check_both_labels(splits: dict[str, dict[str, Any]], source: str, positive_rating: float) -> None:
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
