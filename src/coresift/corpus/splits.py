"""Training, validation and test interactions: as given, by the clock, or by each user's own time."""

from __future__ import annotations

from typing import Literal

import ibis
import ibis.expr.types as ir

from coresift.corpus.engine import Engine
from coresift.corpus.interaction_log import IN_ORDER, InteractionLog
from coresift.corpus.sources import SOURCE_ROW

SPLITS = {"train": 0, "valid": 1, "test": 2}
"""Numbers of the splits."""

SplitMethod = Literal["auto", "given", "global_time", "per_user_time", "leave_one_out"]
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
            f"{log.source.label} has no column split with values, which ingestion.split = given needs: add it, or set "
            f"ingestion.split to global_time, per_user_time or leave_one_out."
        )
    if method == "global_time" and log.order == "position":
        raise ValueError(
            f"{log.source.label} has positions but no timestamps, so it cannot be split at one moment for all users: "
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
            f"{log.source.label} has {value} in row {found[0][SOURCE_ROW]}, but only {', '.join(SPLITS)} are known: "
            f"correct the column, or set ingestion.split to another method."
        )


def with_splits(rows: ir.Table, method: SplitMethod) -> ir.Table:
    """Replace the column ``split`` by the number of the split, int8.

    ``global_time`` cuts all interactions, in time order, into 8:1:1. ``per_user_time`` cuts those of every user, with
    at least one each for validation and test; ``leave_one_out`` takes one each. Users with fewer than three
    interactions stay in training.

    Args:
        rows: Interactions with user, position (in the user's sequence, from 0) and the columns of ``IN_ORDER``.
        method: Any method but ``auto``.

    Returns:
        The rows with ``split``.
    """
    return rows.mutate(split=_split_numbers(rows, method).cast("int8"))


def _split_numbers(rows: ir.Table, method: SplitMethod) -> ir.IntegerColumn:
    """Return the number of the split of every row."""
    if method == "given":
        return ibis.cases(*((rows["split"] == name, number) for name, number in SPLITS.items()))
    if method == "global_time":
        n_rows = rows.count().over()
        rank = ibis.row_number().over(order_by=IN_ORDER)
        return _last_parts(rank, n_rows, n_rows // _HELD_OUT)
    n_rows = rows.count().over(group_by="user")
    each = ibis.greatest(n_rows // _HELD_OUT, 1) if method == "per_user_time" else ibis.literal(1)
    return ibis.ifelse(n_rows < _SMALLEST_SPLIT_USER, SPLITS["train"], _last_parts(rows["position"], n_rows, each))


def _last_parts(rank: ir.IntegerColumn, n_rows: ir.IntegerColumn, n_each: ir.IntegerColumn) -> ir.IntegerColumn:
    """Return test for the last ``n_each`` ranks, validation for as many before them, training for the rest."""
    return ibis.cases(
        (rank >= n_rows - n_each, SPLITS["test"]),
        (rank >= n_rows - 2 * n_each, SPLITS["valid"]),
        else_=SPLITS["train"],
    )
