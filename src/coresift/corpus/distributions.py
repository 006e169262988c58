"""How a corpus is distributed: lengths of histories, popularity of items, time; as counts small enough for a report."""

from __future__ import annotations

from typing import Any

import ibis.expr.types as ir

from coresift.corpus.engines.engine import Engine
from coresift.corpus.sampling.splits import SPLITS

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
    is_training = (interactions["split"] == SPLITS["train"]).cast("int64")
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
