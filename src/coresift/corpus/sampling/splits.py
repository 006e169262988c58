"""Training, validation and test interactions: as given, by the clock, or by each user's own time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import ibis
import ibis.expr.types as ir

from coresift.corpus.cleaning.interaction_log import IN_ORDER, InteractionLog
from coresift.corpus.engines.engine import Engine
from coresift.corpus.engines.numbering import with_number
from coresift.corpus.engines.staging import SOURCE_ROW
from coresift.corpus.spelling.values import moment
from coresift.storage import SPLITS, TEST, TRAIN, VALID

SplitMethod = Literal["auto", "given", "global_time", "per_user_time", "leave_one_out", "temporal_cutoff"]
BY_USER = ("per_user_time", "leave_one_out")
"""Methods that hold out each user's own latest interactions, whenever they were."""

_HOUR = 3_600_000
_HELD_OUT = 10
"""One part in ten goes to validation and one to test."""
_SMALLEST_SPLIT_USER = 3


def choose_split(method: SplitMethod, log: InteractionLog, engine: Engine) -> SplitMethod:
    """Return the method that will be used, after checking that the data permits it.

    Args:
        method: What was asked for; ``auto`` is the split that came with the data, else global time.
        log: The interactions.
        engine: Where to check them.

    Raises:
        ValueError: If there is no split column, no timestamps, or an unknown value in the split column.
    """
    has_split = engine.count(log.rows.filter(log.rows["split"].notnull())) > 0
    if method == "auto":
        method = "given" if has_split else "global_time"
    if method == "given" and not has_split:
        raise ValueError(
            f"{log.source.shown} has no column split with values, which ingestion.split = given needs: add it, or set "
            f"ingestion.split to global_time, per_user_time or leave_one_out."
        )
    if method in ("global_time", "temporal_cutoff") and log.order == "position":
        raise ValueError(
            f"{log.source.shown} has positions but no timestamps, so it cannot be split at one moment for all users: "
            f"set ingestion.split to per_user_time or leave_one_out."
        )
    if method == "given":
        _check_given(log, engine)
    return method


def _check_given(log: InteractionLog, engine: Engine) -> None:
    """Stop at a value that is not the name of a split."""
    rows = log.rows
    wrong = rows.filter(~ibis.coalesce(rows["split"], "").isin(list(SPLITS)))
    found = engine.rows(wrong.order_by(SOURCE_ROW).limit(1))
    if found:
        value = "no split" if found[0]["split"] is None else f"the split '{found[0]['split']}'"
        raise ValueError(
            f"{log.source.shown} has {value} in row {found[0][SOURCE_ROW]}, but only {', '.join(SPLITS)} are known: "
            f"correct the column, or set ingestion.split to another method."
        )


@dataclass(frozen=True)
class Cutoffs:
    """Moments that divide the splits, in milliseconds since 1970.

    Attributes:
        valid_from: First moment of validation.
        test_from: First moment of the test.
    """

    valid_from: int
    test_from: int

    @classmethod
    def from_text(cls, valid_from: str | None, test_from: str | None) -> Cutoffs | None:
        """Read ISO 8601 times; None without any.

        Raises:
            ValueError: If one is missing, or if they are not in order.
        """
        if valid_from is None and test_from is None:
            return None
        if valid_from is None or test_from is None or moment(valid_from) >= moment(test_from):
            raise ValueError(
                "ingestion.split = temporal_cutoff needs ingestion.valid_from and a later ingestion.test_from, "
                f"but they are {valid_from} and {test_from}."
            )
        return cls(moment(valid_from), moment(test_from))


def with_splits(rows: ir.Table, method: SplitMethod, engine: Engine, *, cutoffs: Cutoffs | None = None) -> ir.Table:
    """Replace the column ``split`` by the number of the split, int8.

    ``global_time`` cuts all interactions, in time order, into 8:1:1. ``per_user_time`` cuts those of every user, with
    at least one each for validation and test; ``leave_one_out`` takes one each. Users with fewer than three
    interactions stay in training. ``temporal_cutoff`` cuts at given moments.

    Args:
        rows: Interactions with user_id, position (in the user's sequence, from 0) and the columns of ``IN_ORDER``.
        method: Any method but ``auto``.
        engine: Where to compute.
        cutoffs: The moments of ``temporal_cutoff``.

    Returns:
        The rows with ``split``.

    Raises:
        ValueError: If ``temporal_cutoff`` has no moments.
    """
    if method == "given":
        split = ibis.cases(*((rows["split"] == name, number) for name, number in SPLITS.items()))
    elif method == "global_time":
        n_rows = engine.count(rows)
        rows = with_number(rows, "rank", engine, bucket=rows["timestamp"] // _HOUR, order_by=IN_ORDER)
        split = _last_parts(rows["rank"], ibis.literal(n_rows), ibis.literal(n_rows // _HELD_OUT))
    elif method == "temporal_cutoff":
        split = _by_cutoffs(rows["timestamp"], cutoffs)
    else:
        n_rows = rows.count().over(group_by="user_id")
        each = ibis.greatest(n_rows // _HELD_OUT, 1) if method == "per_user_time" else ibis.literal(1)
        parts = _last_parts(rows["position"], n_rows, each)
        split = ibis.ifelse(n_rows < _SMALLEST_SPLIT_USER, TRAIN, parts)
    return rows.mutate(split=split.cast("int8"))


def _by_cutoffs(timestamp: ir.IntegerColumn, cutoffs: Cutoffs | None) -> ir.IntegerColumn:
    """Return the split of every moment."""
    if cutoffs is None:
        raise ValueError("ingestion.split = temporal_cutoff needs ingestion.valid_from and ingestion.test_from.")
    return ibis.cases(
        (timestamp >= cutoffs.test_from, TEST),
        (timestamp >= cutoffs.valid_from, VALID),
        else_=TRAIN,
    )


def _last_parts(rank: ir.IntegerColumn, n_rows: ir.IntegerValue, n_each: ir.IntegerValue) -> ir.IntegerColumn:
    """Return test for the last ``n_each`` ranks, validation for as many before them, training for the rest."""
    return ibis.cases(
        (rank >= n_rows - n_each, TEST),
        (rank >= n_rows - 2 * n_each, VALID),
        else_=TRAIN,
    )
