"""Ranking samples: what a user had before, and what came next."""

from __future__ import annotations

from typing import Literal

import ibis
import ibis.expr.types as ir

from coresift.corpus.engine import Engine
from coresift.corpus.splits import SPLITS

TrainingSamples = Literal["last", "sliding_window", "all_prefixes"]


def make_samples(
    interactions: ir.Table,
    engine: Engine,
    *,
    samples: TrainingSamples = "last",
    min_history: int = 1,
    max_history: int = 0,
) -> ir.Table:
    """Make the samples of all splits.

    A training sample has one target, and as history the training interactions before it. A validation or test
    sample has all of a user's interactions of the split as targets, in order, and as history everything of earlier
    splits before the first of them.

    Args:
        interactions: The table of that contract: dense ids, position, split.
        engine: Where to compute.
        samples: Targets in training: ``last``, one per user; ``sliding_window``, every one that ``max_history``
            interactions precede, and the last of shorter sequences; ``all_prefixes``, every one.
        min_history: Training samples with a shorter history are left out.
        max_history: Training histories keep this many of the latest interactions; 0 keeps all.

    Returns:
        The table of the contract ``samples``, unordered.

    Raises:
        ValueError: If a sliding window has no length.
    """
    if samples == "sliding_window" and max_history == 0:
        raise ValueError("ingestion.samples = sliding_window needs the length of a window: set ingestion.max_history.")
    counted = engine.materialise(_with_history_lengths(interactions))
    training = _training_targets(counted, samples, max_history)
    training = training.filter(training["n_history"] >= min_history)
    targets = training.union(_held_out_targets(counted))
    sequences = engine.materialise(_sequences(counted, "train").union(_sequences(counted, "valid")))
    return _with_histories(targets, sequences, max_history)


def _with_history_lengths(interactions: ir.Table) -> ir.Table:
    """Count, before every interaction, the user's training interactions and those of training and validation."""
    before = ibis.window(group_by="user_id", order_by="position", preceding=(None, 1))
    split = interactions["split"]
    return interactions.mutate(
        n_train_before=ibis.coalesce((split == SPLITS["train"]).sum().over(before), 0),
        n_known_before=ibis.coalesce((split <= SPLITS["valid"]).sum().over(before), 0),
    )


def _training_targets(counted: ir.Table, samples: TrainingSamples, max_history: int) -> ir.Table:
    """Return one row per training sample."""
    train = counted.filter(counted["split"] == SPLITS["train"])
    is_last = train["position"] == train["position"].max().over(group_by="user_id")
    wanted = {
        "last": is_last,
        "sliding_window": is_last | (train["n_train_before"] >= max_history),
        "all_prefixes": ibis.literal(True),
    }
    train = train.filter(wanted[samples])
    return train.select(
        "user_id",
        "split",
        "timestamp",
        first_position=train["position"],
        seen_until=ibis.literal(SPLITS["train"], "int8"),
        n_history=train["n_train_before"],
        targets=ibis.array([train["item_id"]]),
    )


def _held_out_targets(counted: ir.Table) -> ir.Table:
    """Return one row per user and held-out split."""
    rows = counted.filter(counted["split"] > SPLITS["train"])
    in_order = ibis.struct({"position": rows["position"], "item_id": rows["item_id"]}).collect().sort()
    grouped = rows.group_by("user_id", "split").agg(
        timestamp=rows["timestamp"].min(),
        first_position=rows["position"].min(),
        n_train=rows["n_train_before"].min(),
        n_known=rows["n_known_before"].min(),
        in_order=in_order,
    )
    is_test = grouped["split"] == SPLITS["test"]
    return grouped.select(
        "user_id",
        "split",
        "timestamp",
        "first_position",
        seen_until=(grouped["split"] - 1).cast("int8"),
        n_history=ibis.ifelse(is_test, grouped["n_known"], grouped["n_train"]),
        targets=grouped["in_order"].map(lambda entry: entry["item_id"]),
    )


def _sequences(counted: ir.Table, seen_until: str) -> ir.Table:
    """Collect every user's items and ratings up to a split, oldest first.

    An ordered collection exists on DuckDB only; collecting structs and sorting them works on Spark as well.
    """
    rows = counted.filter(counted["split"] <= SPLITS[seen_until])
    entry = ibis.struct({"position": rows["position"], "item_id": rows["item_id"], "rating": rows["rating"]})
    grouped = rows.group_by("user_id").agg(entries=entry.collect().sort())
    return grouped.select(
        "user_id",
        seen_until=ibis.literal(SPLITS[seen_until], "int8"),
        items=grouped["entries"].map(lambda entry: entry["item_id"]),
        ratings=grouped["entries"].map(lambda entry: entry["rating"]),
    )


def _with_histories(targets: ir.Table, sequences: ir.Table, max_history: int) -> ir.Table:
    """Give each sample the part of its user's sequence before the target, and its number."""
    joined = targets.left_join(sequences, ["user_id", "seen_until"])
    end = joined["n_history"]
    capped = (joined["split"] == SPLITS["train"]) & (end > max_history) if max_history else ibis.literal(False)
    start = ibis.ifelse(capped, end - max_history, 0)
    number = ibis.row_number().over(order_by=["split", "user_id", "first_position"])
    return joined.select(
        "user_id",
        "targets",
        "timestamp",
        "split",
        sample_id=number.cast("int32"),
        history=ibis.coalesce(joined["items"][start:end], ibis.literal([], type="array<int32>")),
        history_ratings=ibis.coalesce(joined["ratings"][start:end], ibis.literal([], type="array<float32>")),
        label=ibis.literal(1, "int8"),
    )
