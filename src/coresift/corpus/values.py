"""How single values are read: identifiers of any type, numbers, times in any unit, and text from careless exports."""

from __future__ import annotations

import datetime as dt
import html
import re
from collections.abc import Callable
from functools import wraps
from typing import Any

import ibis
import ibis.expr.types as ir

from coresift.corpus.markup import without_markup

TIMESTAMP_UNITS = {"s": 1e3, "ms": 1.0, "us": 1e-3, "ns": 1e-6}
"""Milliseconds per unit."""

_SIZES_BY_UNIT = {"s": (0.0, 1e11), "ms": (1e11, 1e14), "us": (1e14, 1e17), "ns": (1e17, 1e20)}
"""Smallest and largest size of a time, in the unit: from spring 1973 on, seconds from 1970 on, until the year 5138."""

_LARGEST_EXACT_INTEGER = 2.0**53
_INVISIBLE = re.compile("[\x00-\x1f\x7f-\x9f\u200b\u2028\u2029\ufeff]")
_PATH_SEPARATORS = re.compile("[>|]")


def clean_text(text: str) -> str:
    """Return text without entities (also doubly escaped) and tags of HTML, control characters, surplus white space.

    A script is no text at all: nothing of it is left.
    """
    unescaped = without_markup(html.unescape(html.unescape(text)))
    return " ".join(_INVISIBLE.sub(" ", unescaped).split())


def clean_path(path: list[str]) -> list[str]:
    """Return the cleaned, non-empty levels of a category path, root first."""
    return [level for level in (clean_text(part) for part in path if part) if level]


def split_path(text: str) -> list[str]:
    """Return the levels of a category path written as text with ``>`` or ``|`` between them."""
    return clean_path(_PATH_SEPARATORS.split(text))


def _where_present(function: Callable[[Any], object]) -> Callable[[object], object]:
    """Return a function that leaves null as it is, which Spark, unlike DuckDB, hands to functions."""

    @wraps(function)
    def present(value: object) -> object:
        return None if value is None else function(value)

    return present


cleaned_text = ibis.udf.scalar.python(_where_present(clean_text), signature=((str,), str))
cleaned_path = ibis.udf.scalar.python(_where_present(clean_path), signature=((list[str],), list[str]))
path_from_text = ibis.udf.scalar.python(_where_present(split_path), signature=((str,), list[str]))


def identifier(column: ir.Column) -> ir.StringColumn:
    """Return ids of any type as text, so that tables which store them differently still match; null if missing.

    Whole floating-point numbers, which numeric ids become where some are missing, read as integers. ``nan``, which
    missing ids become when a table is written as text, is no id.
    """
    if column.type().is_floating():
        countable = _countable(column)
        column = ibis.ifelse(countable == countable.floor(), countable.cast("int64"), ibis.null("int64"))
    text = column.cast("string").strip().nullif("")
    return text.nullif("nan").nullif("NaN")


def is_missing(column: ir.Column) -> ir.BooleanColumn:
    """Return where a value is absent: null, not a number, or blank text."""
    if column.type().is_string():
        return column.strip().nullif("").isnull()
    if column.type().is_floating():
        return column.isnull() | column.isnan()
    return column.isnull()


def number(column: ir.Column) -> ir.FloatingColumn:
    """Return numbers, or text that holds numbers, as float64; null where that is impossible or not finite."""
    value = column.try_cast("float64")
    return ibis.ifelse(value.isnan() | value.isinf(), ibis.null("float64"), value)


def moment(text: str) -> int:
    """Return an ISO 8601 date or time, in UTC unless it says otherwise, as milliseconds since 1970.

    Raises:
        ValueError: If it is none.
    """
    try:
        when = dt.datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"'{text}' is no time: write it as 2018-01-31 or 2018-01-31T12:00:00.") from None
    return round((when if when.tzinfo else when.replace(tzinfo=dt.UTC)).timestamp() * 1000)


def has_size_of(time: ir.FloatingColumn, unit: str) -> ir.BooleanColumn:
    """Tell where a number has the size that a time since 1970 has in a unit, which no other unit shares."""
    smallest, largest = _SIZES_BY_UNIT[unit]
    return (time.abs() >= smallest) & (time.abs() < largest)


def milliseconds(column: ir.Column, unit: str, *, sized: bool = False) -> ir.IntegerColumn:
    """Return times as int64 milliseconds since 1970 (UTC); null where they cannot be read.

    Args:
        column: Dates, timestamps, numbers in ``unit``, or text of any of these (dates as ISO 8601).
        unit: Unit of numbers: s, ms, us or ns.
        sized: Whether numbers of a size that times do not have in this unit count as unreadable.
    """
    if column.type().is_temporal():
        return _milliseconds_of_moment(column.cast("timestamp"))
    time = number(column)
    fitting = ibis.ifelse(has_size_of(time, unit), time, ibis.null("float64")) if sized else time
    counted = _countable(fitting * TIMESTAMP_UNITS[unit]).round().cast("int64")
    if not column.type().is_string():
        return counted
    moment = column.try_cast("timestamp('UTC')").cast("timestamp")
    return ibis.ifelse(time.isnull(), _milliseconds_of_moment(moment), counted)


def _countable(column: ir.FloatingColumn) -> ir.FloatingColumn:
    """Return floating-point numbers up to the size to which they tell integers apart; null beyond."""
    return ibis.ifelse(column.abs() <= _LARGEST_EXACT_INTEGER, column, ibis.null("float64"))


def _milliseconds_of_moment(moment: ir.TimestampColumn) -> ir.IntegerColumn:
    """Return timestamps without time zone as milliseconds; whole seconds first, for engines round them."""
    return moment.truncate("s").epoch_seconds().cast("int64") * 1000 + moment.millisecond().cast("int64")
