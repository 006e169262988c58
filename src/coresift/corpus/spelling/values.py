"""How single values are read: identifiers of any type, numbers, times in any unit, and text from careless exports."""

from __future__ import annotations

import datetime as dt
import html
import re
import sys
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

import ibis
import ibis.expr.types as ir

from coresift.corpus.engines.staging import FAULT
from coresift.corpus.spelling.markup import without_markup
from coresift.corpus.spelling.written_times import NO_TIME, looks_like_date, time_from_digits, time_from_text

MISSING = (
    *("", "nan", "NaN", "-nan", "-NaN", "NA", "<NA>", "N/A", "n/a", "#N/A", "#NA", "#N/A N/A", "NaT"),
    *("None", "NULL", "null", "\\N", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
)
"""What pandas, R, SQL and spreadsheets write where an id, a number, a time or a split is missing."""

TIMESTAMP_UNITS = {"s": 1e3, "ms": 1.0, "us": 1e-3, "ns": 1e-6}
"""Milliseconds per unit."""

_SIZES_BY_UNIT = {"s": (0.0, 1e11), "ms": (1e11, 1e14), "us": (1e14, 1e17), "ns": (1e17, 1e20)}
"""Smallest and largest size of a time, in the unit: from spring 1973 on, seconds from 1970 on, until the year 5138."""

_LARGEST_EXACT_INTEGER = 2.0**53
_EXACT_BELOW = {2: 2.0**11, 4: 2.0**24, 8: 2.0**53}
"""Numbers from which on floating point of so many bytes does not tell integers apart."""

_NUMBER = "^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$"
_ZERO_FRACTION = "^(?:-?(0)|(-?[1-9][0-9]*))[.]0*$"
_WHOLE_DECIMAL = "^(?:(0)E-[0-9]+|(-?[0-9]+)(?:[.]0*)?)$"
_SCIENTIFIC = "^-?[0-9](?:[.,][0-9]+[eE][+]?|[eE][+])[0-9]+$"
_INVISIBLE = re.compile("[\x00-\x1f\x7f-\x9f\u200b\u2028\u2029\ufeff]")
_NO_TEXT = "\ufffd"
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
time_of_text = ibis.udf.scalar.python(_where_present(time_from_text), signature=((str,), int))
time_of_digits = ibis.udf.scalar.python(_where_present(time_from_digits), signature=((int,), int))
path_from_text = ibis.udf.scalar.python(_where_present(split_path), signature=((str,), list[str]))


def _utf8(value: bytes) -> str:
    """Return bytes as text, with a mark where they are none."""
    return bytes(value).decode("utf-8", "replace")


text_of_bytes = ibis.udf.scalar.python(_where_present(_utf8), signature=((bytes,), str))


def with_text_of_bytes(table: ir.Table, names: Iterable[str]) -> ir.Table:
    """Return a table whose columns of bytes hold text; ``FAULT`` marks rows where such bytes are none.

    Args:
        table: An opened source.
        names: Columns that must hold text or numbers, if they are there.
    """
    binary = [name for name in names if name in table.columns and table[name].type().is_binary()]
    if not binary:
        return table
    text = {name: text_of_bytes(table[name]) for name in binary}
    faults = [(text[name].contains(_NO_TEXT), f"unreadable {name}") for name in binary]
    fault = ibis.coalesce(table[FAULT], ibis.cases(*faults, else_=ibis.null("string")))
    return table.mutate(**text, **{FAULT: fault})


def identifier(column: ir.Column) -> ir.StringColumn:
    """Return ids of any type as text, so that tables which store them differently still match; null if there is none.

    Whole numbers read as integers however they are stored or written (7, 7.0, 7.00), because numeric ids become
    floating point where some are missing. Leading zeros stay. See :func:`identifier_problems` for what is no id.
    """
    kind = column.type()
    if kind.is_floating():
        exact = ibis.ifelse(column.abs() < _EXACT_BELOW[kind.nbytes], column, ibis.null(kind))
        whole = ibis.ifelse(exact == exact.floor(), exact.cast("int64"), ibis.null("int64"))
        return whole.cast("string")
    if kind.is_decimal():
        return _groups(column.cast("string"), _WHOLE_DECIMAL).nullif("")
    text = column.cast("string").strip()
    if not kind.is_string():
        return text
    return ibis.cases(
        (is_missing(column) | _is_rounded(text), ibis.null("string")),
        (has_zero_fraction(column), _groups(text, _ZERO_FRACTION)),
        else_=text,
    )


def identifier_problems(column: ir.Column, name: str) -> dict[str, ir.BooleanColumn]:
    """Tell where and why a column holds no ids, by the reason for which its rows are rejected.

    Args:
        column: Ids.
        name: What reasons call the column.
    """
    problems = {f"missing {name}": is_missing(column)}
    kind = column.type()
    if kind.is_floating():
        problems[f"inexact {name}"] = column.abs() >= _EXACT_BELOW[kind.nbytes]
    elif kind.is_string():
        problems[f"inexact {name}"] = _is_rounded(column.strip())
    problems[f"fractional {name}"] = identifier(column).isnull()
    return problems


def has_zero_fraction(column: ir.StringColumn) -> ir.BooleanColumn:
    """Tell where text is a whole number with a fraction of zero, such as 7.0."""
    return column.strip().re_search(_ZERO_FRACTION)


def _is_rounded(text: ir.StringColumn) -> ir.BooleanColumn:
    """Tell where text was printed from floating point that does not tell integers apart, or was cut to some digits."""
    size = text.try_cast("float64").abs()
    return text.re_search(_SCIENTIFIC) | (text.re_search(_ZERO_FRACTION) & (size >= _LARGEST_EXACT_INTEGER))


def _groups(text: ir.StringColumn, pattern: str) -> ir.StringColumn:
    """Return the one of two groups that a pattern fills."""
    return text.re_extract(pattern, 1) + text.re_extract(pattern, 2)


def is_missing(column: ir.Column) -> ir.BooleanColumn:
    """Return where a value is absent: null, not a number, blank, or one of the words of ``MISSING``."""
    if column.type().is_string():
        return column.isnull() | column.strip().isin(MISSING)
    if column.type().is_floating():
        return column.isnull() | column.isnan()
    return column.isnull()


def number(column: ir.Column) -> ir.FloatingColumn:
    """Return numbers, or text that holds numbers, as float64; null where that is impossible or not finite."""
    if column.type().is_string():
        text = column.strip()
        column = ibis.ifelse(text.re_search(_NUMBER), text, ibis.null("string"))
    value = column.try_cast("float64")
    return ibis.ifelse(value.abs() <= sys.float_info.max, value, ibis.null("float64"))


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


def milliseconds(column: ir.Column, unit: str, *, sized: bool = False, dated: bool = False) -> ir.IntegerColumn:
    """Return times as int64 milliseconds since 1970 (UTC); null where they cannot be read.

    Args:
        column: Dates, timestamps, numbers in ``unit``, or text of any of these.
        unit: Unit of numbers: s, ms, us or ns.
        sized: Whether numbers of a size that times do not have in this unit count as unreadable.
        dated: Whether numbers whose digits are a date, such as 20200131, are that date.
    """
    if column.type().is_temporal():
        return _milliseconds_of_moment(column.try_cast("timestamp"))
    time = number(column)
    fitting = ibis.ifelse(has_size_of(time, unit), time, ibis.null("float64")) if sized else time
    counted = _countable(fitting * TIMESTAMP_UNITS[unit]).round().cast("int64")
    if dated:
        digits = ibis.ifelse(looks_like_date(time), time, ibis.null("float64")).cast("int64")
        counted = ibis.ifelse(digits.isnull(), counted, time_of_digits(digits).nullif(NO_TIME))
    if not column.type().is_string():
        return counted
    written = time_of_text(ibis.ifelse(time.isnull(), column, ibis.null("string")))
    return ibis.coalesce(written.nullif(NO_TIME), counted)


def _countable(column: ir.FloatingColumn) -> ir.FloatingColumn:
    """Return floating-point numbers up to the size to which they tell integers apart; null beyond."""
    return ibis.ifelse(column.abs() <= _LARGEST_EXACT_INTEGER, column, ibis.null("float64"))


def _milliseconds_of_moment(moment: ir.TimestampColumn) -> ir.IntegerColumn:
    """Return timestamps without time zone as milliseconds; whole seconds first, for engines round them."""
    return moment.truncate("s").epoch_seconds().cast("int64") * 1000 + moment.millisecond().cast("int64")
