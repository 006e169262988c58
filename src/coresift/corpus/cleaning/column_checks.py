"""Checks of a raw table as a whole, each with one sentence that names the file, the problem and the remedy."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from coresift.corpus.engines.engine import Engine
from coresift.corpus.sources.source import Source
from coresift.corpus.spelling.values import has_zero_fraction, identifier, is_missing

TypeTest = Callable[[dt.DataType], bool]


def is_number_or_text(kind: dt.DataType) -> bool:
    """Tell whether a column can hold numbers."""
    return bool(kind.is_numeric() or kind.is_string() or kind.is_null())


def is_id(kind: dt.DataType) -> bool:
    """Tell whether a column can hold ids; truth values name nobody."""
    return bool(is_number_or_text(kind) or kind.is_uuid())


def is_time(kind: dt.DataType) -> bool:
    """Tell whether a column can hold times."""
    return bool(is_number_or_text(kind) or kind.is_timestamp() or kind.is_date())


def is_text(kind: dt.DataType) -> bool:
    """Tell whether a column holds text."""
    return bool(kind.is_string() or kind.is_null())


def is_text_or_list(kind: dt.DataType) -> bool:
    """Tell whether a column holds text or lists of text."""
    return is_text(kind) or bool(kind.is_array() and is_text(kind.value_type))


def holds_integers(column: ir.Column, source: Source, engine: Engine) -> bool:
    """Tell whether ids are numbers, which are ordered as such: by their type or, in text formats, by every value."""
    if source.has_types or not column.type().is_string():
        return bool(column.type().is_numeric())
    others = ~identifier(column).re_search("^(0|-?[1-9][0-9]{0,17})$")
    return not engine.value(ibis.coalesce(others.any(), ibis.literal(False)))


def check_types(table: ir.Table, source: Source, expected: Mapping[str, tuple[TypeTest, str]]) -> None:
    """Stop if a column that is present has a type it cannot be read from.

    Args:
        table: The opened source.
        source: Where it comes from.
        expected: By column, a test of its type and what passes the test in words.

    Raises:
        ValueError: Naming the source, the column, its type and what is expected.
    """
    for name, (test, description) in expected.items():
        if name in table.columns and not test(table[name].type()):
            raise ValueError(
                f"{source.shown}: column {name} is of type {table[name].type()}, but must hold {description}: "
                f"convert the column, or map another one to this name."
            )


def check_not_empty(table: ir.Table, source: Source, engine: Engine) -> int:
    """Return the number of rows.

    Raises:
        ValueError: If there is none.
    """
    n_rows = engine.count(table)
    if n_rows == 0:
        raise ValueError(f"{source.shown} has no rows: give a file with at least one row.")
    return n_rows


def check_some_readable(table: ir.Table, source: Source, engine: Engine, *, name: str, value: ir.Column) -> None:
    """Stop if a column has values of which not one can be read, which means a wrong column or format.

    Args:
        table: The opened source.
        source: Where it comes from.
        engine: Where the counting happens.
        name: Name of the column.
        value: What was read from it, null where that failed.

    Raises:
        ValueError: Naming the source, the column and an example.
    """
    present = ~is_missing(table[name])
    examples = table[name].cast("string").min(where=present)
    summary = engine.rows(table.agg(example=examples, n_readable=value.count()))[0]
    if summary["example"] is not None and summary["n_readable"] == 0:
        raise ValueError(
            f"{source.shown}: no value of column {name} can be read (for example '{summary['example']}'), but it must "
            f"hold numbers, or for times also dates as in 2020-01-31: convert the column, or map another one to it."
        )


def written_fractions(table: ir.Table, engine: Engine, *names: str) -> dict[str, int]:
    """Count the ids that are written with a fraction of zero, such as 7.0, in the columns of text among some."""
    texts = [name for name in names if table[name].type().is_string()]
    counts = {name: has_zero_fraction(table[name]).cast("int64").sum() for name in texts}
    found = engine.rows(table.agg(**counts))[0] if counts else {}
    return {f"{name} written as in 7.0": int(str(n)) for name, n in found.items() if n}
