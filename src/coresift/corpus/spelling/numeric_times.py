"""How the numbers of a column of times are read: in which unit, and whether their digits are dates."""

from __future__ import annotations

from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from coresift.corpus.engines.engine import Engine
from coresift.corpus.spelling.values import TIMESTAMP_UNITS, has_size_of, is_missing, number
from coresift.corpus.spelling.written_times import looks_like_date

_SMALL = 1e8
"""Numbers below this are no times in use: as seconds they lie before spring 1973."""


@dataclass(frozen=True)
class NumericTimes:
    """How numbers are read.

    Attributes:
        unit: s, ms, us or ns.
        sized: Whether numbers of a size that times do not have in this unit are set apart.
        dated: Whether numbers whose digits are a date are that date.
        n_dates: How many are.
        written: Whether there may be text that is no number, so that it takes more to read it.
    """

    unit: str
    sized: bool = False
    dated: bool = False
    n_dates: int = 0
    written: bool = True


def numeric_times(table: ir.Table, engine: Engine, requested: str) -> NumericTimes:
    """Tell how numeric times are read: in the unit asked for, or in that of most of them.

    Numbers whose digits are a date, such as 20200131, are read as such, unless there are more of other small numbers,
    among which they are seconds that are counted from some start.

    Args:
        table: Raw interactions with a column timestamp.
        engine: Where to count.
        requested: A unit, or ``auto``.
    """
    column = table["timestamp"]
    if column.type().is_temporal() or requested != "auto":
        return NumericTimes("ms" if column.type().is_temporal() else requested)
    value = number(column)
    is_date = looks_like_date(value)
    plain, date = (ibis.ifelse(chosen, value, ibis.null("float64")) for chosen in (~is_date, is_date))
    tests = {f"plain_{unit}": has_size_of(plain, unit) for unit in TIMESTAMP_UNITS}
    tests |= {f"date_{unit}": has_size_of(date, unit) for unit in TIMESTAMP_UNITS}
    tests |= {"dates": is_date, "small": plain.abs() < _SMALL, "written": value.isnull() & ~is_missing(column)}
    found = engine.rows(table.agg(**{name: test.cast("int64").sum() for name, test in tests.items()}))[0]
    counts = {name: int(str(count or 0)) for name, count in found.items()}
    dated = counts["dates"] > counts["small"]
    sizes = {unit: counts[f"plain_{unit}"] + (0 if dated else counts[f"date_{unit}"]) for unit in TIMESTAMP_UNITS}
    return NumericTimes(
        unit=max(sizes, key=lambda name: sizes[name]),
        sized=True,
        dated=dated,
        n_dates=counts["dates"] if dated else 0,
        written=counts["written"] > 0,
    )
