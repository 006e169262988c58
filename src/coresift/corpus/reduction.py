"""Interactions that are left out on purpose: other times, low ratings, repeats, sparse users and items."""

from __future__ import annotations

import ibis.expr.types as ir

from coresift.corpus.cleaning.interaction_log import InteractionLog, core, without_repeats
from coresift.corpus.engines.engine import Engine
from coresift.corpus.options import IngestionOptions
from coresift.corpus.spelling.values import moment


def reduced(log: InteractionLog, engine: Engine, options: IngestionOptions) -> tuple[ir.Table, dict[str, int]]:
    """Drop interactions step by step.

    Args:
        log: The usable interactions.
        engine: Where to compute.
        options: Time window, lowest rating and k-core.

    Returns:
        What is left, and the number of rows after every step that was asked for.

    Raises:
        ValueError: If there are no times or ratings where they are needed.
    """
    n_rows = {"read": log.n_rows, "usable": engine.count(log.rows)}
    rows = log.rows
    if options.from_time is not None or options.until_time is not None:
        rows = engine.materialize(_in_window(rows, log, options))
        n_rows["in_time_window"] = engine.count(rows)
    if options.min_rating is not None:
        if engine.count(rows.filter(rows["rating"].notnull())) == 0:
            raise ValueError(f"{log.source.shown} has no ratings, which ingestion.min_rating needs: set it to null.")
        rows = engine.materialize(rows.filter(rows["rating"] >= options.min_rating))
        n_rows["rated_well"] = engine.count(rows)
    rows = engine.materialize(without_repeats(rows))
    n_rows["without_repeats"] = engine.count(rows)
    if options.k_core > 1:
        rows = core(rows, options.k_core, engine)
        n_rows["in_k_core"] = engine.count(rows)
    return rows, n_rows


def _in_window(rows: ir.Table, log: InteractionLog, options: IngestionOptions) -> ir.Table:
    """Keep the interactions of the time window."""
    if log.order == "position":
        raise ValueError(
            f"{log.source.shown} has positions but no timestamps, which ingestion.from_time and until_time need: "
            f"set them to null."
        )
    if options.from_time is not None:
        rows = rows.filter(rows["timestamp"] >= moment(options.from_time))
    if options.until_time is not None:
        rows = rows.filter(rows["timestamp"] < moment(options.until_time))
    return rows
