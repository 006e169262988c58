"""The raw interactions: checked, parsed, bad rows set apart, repeats and sparse users and items dropped."""

from __future__ import annotations

from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from coresift.corpus.cleaning.column_checks import (
    check_not_empty,
    check_some_readable,
    check_types,
    holds_integers,
    is_id,
    is_number_or_text,
    is_text,
    is_time,
    written_fractions,
)
from coresift.corpus.cleaning.rejections import REASON, first_reason, kept, rejected
from coresift.corpus.engines.engine import Engine
from coresift.corpus.engines.staging import FAULT, SOURCE_ROW
from coresift.corpus.sources.source import Source, open_source
from coresift.corpus.spelling.numeric_times import NumericTimes, numeric_times
from coresift.corpus.spelling.values import (
    identifier,
    identifier_problems,
    is_missing,
    milliseconds,
    number,
    with_text_of_bytes,
)
from coresift.corpus.spelling.written_times import is_ambiguous

IN_ORDER = ("timestamp", "given_position", SOURCE_ROW)
"""Columns that order interactions: by time, ties by the position that came with the data, then by row."""

_TYPES = {
    "user_id": (is_id, "numbers or text"),
    "item_id": (is_id, "numbers or text"),
    "timestamp": (is_time, "numbers, dates or text"),
    "position": (is_number_or_text, "numbers"),
    "rating": (is_number_or_text, "numbers"),
    "split": (is_text, "text"),
}

_REQUIRED = ("user_id", "item_id")
_OPTIONAL = tuple(name for name in _TYPES if name not in _REQUIRED)

_LARGEST_RATING = 3.4e38
"""What a 32-bit float holds."""


@dataclass(frozen=True)
class InteractionLog:
    """Raw interactions that were read.

    Attributes:
        source: Where they come from.
        rows: Usable rows: ``SOURCE_ROW``, user (id as text), item_id (dense), timestamp (int64 ms), given_position,
            rating, split (text); null where the source does not have them.
        rejected: Unusable rows: source, row, reason.
        n_rows: Number of rows of the source.
        order: ``timestamp`` or ``position``: what orders a user's interactions.
        timestamp_unit: Unit of numeric timestamps; None without timestamps.
        integer_users: Whether user ids are numbers, which are ordered as such.
        surprises: Number of values that are read as another than they are written, by what they are.
    """

    source: Source
    rows: ir.Table
    rejected: ir.Table
    n_rows: int
    order: str
    timestamp_unit: str | None
    integer_users: bool
    surprises: dict[str, int]


def read_log(source: Source, known_items: ir.Table, engine: Engine, *, timestamp_unit: str = "auto") -> InteractionLog:
    """Read raw interactions and set apart those that cannot be used.

    Args:
        source: The raw interactions.
        known_items: The catalogue's items: ``item`` (id as text) and ``item_id``.
        engine: Where to read them.
        timestamp_unit: Unit of numeric timestamps (s, ms, us, ns); ``auto`` takes the one whose size most of them
            have, and sets the others apart.

    Returns:
        What was read.

    Raises:
        ValueError: If a column is missing, of the wrong type or wholly unreadable, or if there are no rows.
    """
    table = _open_log(source, engine)
    n_rows = check_not_empty(table, source, engine)
    order = _order_column(table, engine)
    numbers = numeric_times(table, engine, timestamp_unit) if order == "timestamp" else None
    values = _parsed(table, numbers or NumericTimes("ms", sized=timestamp_unit == "auto"))
    for name in ("timestamp", "position", "rating"):
        if name in table.columns:
            check_some_readable(table, source, engine, name=name, value=values[name])
    rows = engine.materialize(_with_reasons(table, values, known_items, order))
    return InteractionLog(
        source=source,
        rows=kept(rows),
        rejected=rejected(rows, source),
        n_rows=n_rows,
        order=order,
        timestamp_unit=numbers.unit if numbers else None,
        integer_users=holds_integers(table["user_id"], source, engine),
        surprises=_surprises(table, engine, numbers),
    )


def _open_log(source: Source, engine: Engine) -> ir.Table:
    """Open the source and check its columns."""
    table = open_source(source, engine, required=_REQUIRED, optional=_OPTIONAL)
    table = with_text_of_bytes(table, _TYPES)
    if "timestamp" not in table.columns and "position" not in table.columns:
        raise ValueError(
            f"{source.shown} has no column timestamp and no column position, so its interactions have no order: "
            f"add one of them, or map another column to it."
        )
    check_types(table, source, _TYPES)
    return table


def _order_column(table: ir.Table, engine: Engine) -> str:
    """Return what orders the interactions: timestamps, unless there are none and positions instead."""
    if "position" not in table.columns:
        return "timestamp"
    if "timestamp" not in table.columns or engine.count(table.filter(~is_missing(table["timestamp"]))) == 0:
        return "position"
    return "timestamp"


def _surprises(table: ir.Table, engine: Engine, numbers: NumericTimes | None) -> dict[str, int]:
    """Count values that are read as another than they are written."""
    n_dates = numbers.n_dates if numbers else 0
    dates = {"timestamp written as in 20200131": n_dates} if n_dates else {}
    return {**written_fractions(table, engine, *_REQUIRED), **dates}


def _parsed(table: ir.Table, numbers: NumericTimes) -> dict[str, ir.Column]:
    """Return the values of the contract's columns, null where they are absent or unreadable."""
    present = table.columns
    timestamp = ibis.null("int64")
    if "timestamp" in present:
        column = table["timestamp"]
        if column.type().is_string() and not numbers.written:
            column = number(column)  # so that no engine hands its rows to Python, which reads written times
        timestamp = milliseconds(column, numbers.unit, sized=numbers.sized, dated=numbers.dated)
    return {
        "user": identifier(table["user_id"]),
        "item": identifier(table["item_id"]),
        "timestamp": timestamp,
        "position": number(table["position"]) if "position" in present else ibis.null("float64"),
        "rating": _rating(table["rating"]) if "rating" in present else ibis.null("float64"),
        "split": _split(table["split"]) if "split" in present else ibis.null("string"),
    }


def _split(column: ir.Column) -> ir.StringColumn:
    """Return names of splits in small letters; null where there is none."""
    name = column.cast("string")
    return ibis.ifelse(is_missing(name), ibis.null("string"), name.strip().lower())


def _rating(column: ir.Column) -> ir.FloatingColumn:
    """Return ratings; null where they cannot be read, or where the type that they are kept with cannot hold them."""
    rating = number(column)
    return ibis.ifelse(rating.abs() <= _LARGEST_RATING, rating, ibis.null("float64"))


def _with_reasons(table: ir.Table, values: dict[str, ir.Column], known_items: ir.Table, order: str) -> ir.Table:
    """Return parsed rows with the dense ids of their items, and why those that cannot be used cannot."""
    problems = {
        **identifier_problems(table["user_id"], "user_id"),
        **identifier_problems(table["item_id"], "item_id"),
        f"missing {order}": is_missing(table[order]),
    }
    if "timestamp" in table.columns and table["timestamp"].type().is_string():
        problems["ambiguous timestamp"] = is_ambiguous(table["timestamp"].strip())
    for name in ("timestamp", "position", "rating"):
        if name in table.columns:
            problems[f"unreadable {name}"] = ~is_missing(table[name]) & values[name].isnull()
    columns = {("given_position" if name == "position" else name): column for name, column in values.items()}
    parsed = table.select(SOURCE_ROW, **columns, **{REASON: ibis.coalesce(table[FAULT], first_reason(problems))})
    joined = parsed.left_join(known_items.select("item", "item_id"), "item")
    unknown = ibis.ifelse(joined["item_id"].isnull(), "unknown item_id", ibis.null("string"))
    reason = ibis.coalesce(joined[REASON], unknown).name(REASON)
    return joined.select(SOURCE_ROW, *[name for name in columns if name != "item"], "item_id", reason)


def without_repeats(rows: ir.Table) -> ir.Table:
    """Keep the first interaction of every user with every item."""
    occurrence = ibis.row_number().over(group_by=["user", "item_id"], order_by=IN_ORDER)
    return rows.mutate(occurrence=occurrence).filter(ibis._["occurrence"] == 0).drop("occurrence")


def core(rows: ir.Table, k: int, engine: Engine) -> ir.Table:
    """Keep the largest set of rows in which every user and every item has at least ``k`` (the k-core).

    Rounds of dropping repeat until nothing changes, for each drop may leave another user or item with too few.
    """
    n_before, n_after = -1, engine.count(rows)
    while n_after != n_before:
        for name in ("user", "item_id"):
            frequent = rows.group_by(name).agg(n=rows.count()).filter(ibis._["n"] >= k)
            rows = rows.semi_join(frequent, name)
        rows = engine.materialize(rows)
        n_before, n_after = n_after, engine.count(rows)
    return rows
