"""Rows that cannot be used: why each was rejected, and when there are too many to go on."""

from __future__ import annotations

from collections.abc import Mapping

import ibis
import ibis.expr.types as ir

from coresift.corpus.engines.engine import Engine
from coresift.corpus.engines.staging import SOURCE_ROW
from coresift.corpus.sources.source import Source

REASON = "_coresift_reason"
"""Name of the column that says why a row is rejected; null in rows to keep."""


REPEATED = "repeated"
"""First word of the reasons that do not count towards too many rejected rows, because nothing is lost with the row."""

INEXACT = ("inexact", "fractional")
"""First words of the reasons of ids that are numbers, but no whole ones that can be told apart."""


def first_reason(conditions: Mapping[str, ir.BooleanColumn]) -> ir.StringColumn:
    """Return the first reason, in the order given, whose condition holds for a row; null if none does."""
    return ibis.cases(*((condition, reason) for reason, condition in conditions.items()), else_=ibis.null("string"))


def kept(table: ir.Table) -> ir.Table:
    """Return the rows without a reason to reject them."""
    return table.filter(table[REASON].isnull()).drop(REASON)


def rejected(table: ir.Table, source: Source) -> ir.Table:
    """Return the rejected rows as the columns source, row, reason."""
    rows = table.filter(table[REASON].notnull())
    return rows.select(source=ibis.literal(source.name), row=rows[SOURCE_ROW], reason=rows[REASON])


def check_rejected_share(
    rejected_rows: ir.Table, source: Source, engine: Engine, *, n_rows: int, limit: float
) -> dict[str, int]:
    """Count the rejected rows of one source by reason, most frequent first.

    Args:
        rejected_rows: What ``rejected`` returned.
        source: Where the rows come from.
        engine: Where the counting happens.
        n_rows: Number of rows of the source.
        limit: Largest share that may be rejected.

    Raises:
        ValueError: If more than ``limit`` is rejected.
    """
    by_reason = rejected_rows.group_by("reason").agg(n=rejected_rows.count(), first=rejected_rows.row.min())
    reasons = engine.rows(by_reason.order_by([ibis.desc("n"), "reason"]))
    counts = {str(reason["reason"]): int(str(reason["n"])) for reason in reasons}
    n_lost = sum(count for reason, count in counts.items() if not reason.startswith(REPEATED))
    if n_lost > limit * n_rows:
        listed = ", ".join(f"{row['n']} {row['reason']} (first in row {row['first']})" for row in reasons)
        exact = any(reason.startswith(INEXACT) for reason in counts)
        repair = "write ids as integers or as text" if exact else "repair the data"
        raise ValueError(
            f"{source.shown}: {n_lost} of {n_rows} rows cannot be used: {listed}; {repair}, "
            f"or raise ingestion.max_rejected_share above {limit:g}."
        )
    return counts
