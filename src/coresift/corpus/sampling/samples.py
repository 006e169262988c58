"""Samples: what a user had before, and what came next."""

from __future__ import annotations

from dataclasses import dataclass

import ibis.expr.types as ir

from coresift.corpus.engines.engine import Engine
from coresift.corpus.engines.numbering import with_number
from coresift.corpus.options import IngestionOptions
from coresift.corpus.sampling.histories import bound_of, with_counts_before, with_histories
from coresift.corpus.sampling.negatives import negative_targets
from coresift.corpus.sampling.targets import click_targets, held_out_targets, training_targets
from coresift.storage import TRAIN

_USERS = 2**31
_USERS_PER_BUCKET = 256


@dataclass(frozen=True)
class Samples:
    """Samples that were made.

    Attributes:
        rows: The table of the contract ``samples``, unordered.
        n_cut: Number of histories that were cut although no length was asked for.
    """

    rows: ir.Table
    n_cut: int


def make_samples(interactions: ir.Table, engine: Engine, options: IngestionOptions, *, n_items: int) -> Samples:
    """Make the samples of all splits.

    For ranking, a training sample has one target, and as history the training interactions before it; a validation
    or test sample has all of a user's interactions of the split as targets, in order, and as history everything of
    earlier splits before the first of them. For clicks, every interaction of every split is a sample of its own.

    Args:
        interactions: The table of that contract: dense ids, position, split.
        engine: Where to compute.
        options: Which samples.
        n_items: Number of items in the catalogue, of which negatives are drawn.

    Returns:
        The samples. Where every interaction is a sample and ``max_history`` is 0, histories hold no more than the
        latest ``LONGEST_UNASKED`` interactions, so that one long sequence costs no more than many short ones.

    Raises:
        ValueError: If a sliding window has no length.
    """
    longest = options.max_history
    if options.samples == "sliding_window" and longest == 0:
        raise ValueError("ingestion.samples = sliding_window needs the length of a window: set ingestion.max_history.")
    counted = engine.materialize(with_counts_before(interactions))
    if options.samples == "click":
        targets = engine.materialize(_click_targets(counted, options, n_items))
        longest, n_cut = bound_of(targets, engine, longest)
        made = with_histories(targets, counted, engine, seen_until=(0, 1, 2), longest=longest)
    else:
        training = _long_enough(training_targets(counted, options.samples, longest), options.min_history)
        longest, n_cut = bound_of(training, engine, longest) if options.samples != "last" else (longest, 0)
        held_out = with_histories(held_out_targets(counted), counted, engine, seen_until=(0, 1), longest=0)
        made = with_histories(training, counted, engine, seen_until=(0,), longest=longest).union(held_out)
    made = engine.materialize(made)
    bucket = made["split"].cast("int64") * _USERS + made["user_id"] // _USERS_PER_BUCKET
    in_order = ("split", "user_id", "first_position", "draw")
    numbered = with_number(made, "sample_id", engine, bucket=bucket, order_by=in_order)
    return Samples(numbered.drop("first_position", "seen_until", "n_history", "draw"), n_cut)


def _click_targets(counted: ir.Table, options: IngestionOptions, n_items: int) -> ir.Table:
    """Return impressions and, if asked for, items that their users have not met."""
    targets = _long_enough(click_targets(counted, options.positive_rating), options.min_history)
    if options.negatives == 0:
        return targets
    drawn = negative_targets(targets, counted, negatives=options.negatives, seed=options.seed, n_items=n_items)
    return targets.union(drawn.select(*targets.columns))


def _long_enough(targets: ir.Table, min_history: int) -> ir.Table:
    """Leave out training targets with too short a history."""
    return targets.filter((targets["split"] != TRAIN) | (targets["n_history"] >= min_history))
