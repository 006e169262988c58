"""Times as people and programs write them, read by one grammar, so that every format and every engine agree."""

from __future__ import annotations

import datetime as dt
import re

import ibis.expr.types as ir

_TIME = re.compile(
    r"([0-9]{4})(?:[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})|([0-9]{2})([0-9]{2}))"
    r"(?:(?:[Tt]| +)(?:([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?|([0-9]{2})(?:([0-9]{2})([0-9]{2})?)?)(?:[.,]([0-9]+))?"
    r"(?: *(?:[Zz]|UTC|GMT|([+-])(0[0-9]|1[0-4])(?::?([0-5][0-9]))?))?)?"
)
_AMBIGUOUS = "^[0-9]{1,2}[-/.][0-9]{1,2}[-/.]([0-9]{4}|[0-9]{2})([^0-9].*)?$"
_EPOCH = dt.datetime(1970, 1, 1)
_DATES = ((19_000_101, 1), (190_001_010_000, 10_000), (19_000_101_000_000, 1_000_000))
"""Smallest number whose digits are a date of these centuries, and what stands for one day: alone, with hours and
minutes, and with seconds."""

NO_TIME = -(2**62)
"""What stands for text that is no time, because functions of DuckDB cannot return null."""

_TWO_CENTURIES = 2_000_000


def time_from_text(text: str) -> int:
    """Return a written time as milliseconds since 1970; ``NO_TIME`` if it is none.

    A time is a date that begins with its year (``2020-01-31``, ``2020/1/31``, ``20200131``), alone or followed by a
    clock time (``T10:15``, `` 10:15:00.250``, ``T101500``) and a zone (``Z``, ``UTC``, ``+02:00``, ``+0200``); UTC
    unless it says otherwise. What is finer than milliseconds is cut.
    """
    match = _TIME.fullmatch(text.strip())
    if match is None:
        return NO_TIME
    year, *dates, fraction, sign, zone_hours, zone_minutes = match.groups()
    separated, compact = [*dates[:2], *dates[4:7]], [*dates[2:4], *dates[7:10]]
    month, day, hour, minute, second = (int(one or other or 0) for one, other in zip(separated, compact, strict=True))
    try:
        since = dt.datetime(int(year), month, day, hour, minute, second) - _EPOCH
    except ValueError:
        return NO_TIME
    east = (int(zone_hours or 0) * 60 + int(zone_minutes or 0)) * (-1 if sign == "-" else 1)
    return (since.days * 86_400 + since.seconds - east * 60) * 1000 + int(f"{fraction or ''}000"[:3])


def time_from_digits(digits: int) -> int:
    """Return a number whose digits are a date, alone or with hours, minutes and seconds, as milliseconds since 1970."""
    text = str(digits)
    return time_from_text(f"{text[:8]}T{text[8:]}" if len(text) > len("20200131") else text)


def looks_like_date(number: ir.FloatingColumn) -> ir.BooleanColumn:
    """Tell where the digits of a number are a date of 1900 to 2099, such as 20200131 or, with a time, 202001311015."""
    found = number < 0
    for smallest, per_day in _DATES:
        fits = (number >= smallest) & (number < smallest + _TWO_CENTURIES * per_day)
        day = (fits.ifelse(number, smallest) / per_day).floor().cast("int64")
        months, days = day // 100 % 100, day % 100
        found |= fits & (number == number.floor()) & months.between(1, 12) & days.between(1, 31)
    return found


def is_ambiguous(text: ir.StringColumn) -> ir.BooleanColumn:
    """Tell where a date begins with its day or its month, which nobody can tell apart (``01/02/2020``)."""
    return text.re_search(_AMBIGUOUS)
