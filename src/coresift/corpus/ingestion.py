"""From raw tables to interactions, items, users and samples that satisfy the contracts."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from coresift.corpus.catalogue import Entities, ItemText, number_users, read_items, read_users
from coresift.corpus.corpus_report import check_samples, cold_item_share, describe_splits
from coresift.corpus.engine import Engine, open_engine
from coresift.corpus.interaction_log import IN_ORDER, InteractionLog, core, read_log, without_repeats
from coresift.corpus.ranking_samples import TrainingSamples, make_samples
from coresift.corpus.rejections import check_rejected_share
from coresift.corpus.sources import Source
from coresift.corpus.splits import SplitMethod, choose_split, with_splits
from coresift.storage import SCHEMAS

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ingested:
    """A corpus ready for use: five tables as their contracts say, and a report of plain values."""

    interactions: pa.Table
    items: pa.Table
    users: pa.Table
    samples: pa.Table
    rejected_rows: pa.Table
    report: dict[str, Any]


def ingest(
    interactions: Source,
    items: Source,
    users: Source,
    *,
    split: SplitMethod = "auto",
    samples: TrainingSamples = "last",
    min_history: int = 1,
    max_history: int = 0,
    min_rating: float | None = None,
    k_core: int = 0,
    item_text: ItemText = "title",
    timestamp_unit: str = "auto",
    max_rejected_share: float = 0.05,
    threads: int = 0,
    memory_limit: str | None = None,
) -> Ingested:
    """Clean raw tables, number users and items, split the interactions and make samples.

    Rows that cannot be used are set apart. Of several interactions of a user with an item the first counts. The
    catalogue is every usable row of the items, whether or not anyone interacted with it.

    Args:
        interactions: user_id, item_id, one of timestamp and position; optionally rating and split.
        items: item_id, title; optionally category.
        users: user_id and any profile columns; may be empty.
        split: How to split: ``auto`` (the split that came with the data, else global time), ``given``,
            ``global_time`` and ``per_user_time`` (both 8:1:1), ``leave_one_out``.
        samples: Targets in training: ``last``, ``sliding_window`` or ``all_prefixes``.
        min_history: Shortest history of a training sample, in interactions.
        max_history: Longest history of a training sample, in interactions; 0 keeps all.
        min_rating: Interactions rated lower, or not at all, are dropped; None keeps all.
        k_core: Fewest interactions of every user and item that has any; 0 and 1 drop nothing.
        item_text: What a language model reads of an item: ``title`` or ``title_and_category``.
        timestamp_unit: Unit of numeric timestamps: s, ms, us, ns, or auto.
        max_rejected_share: Largest share of a table's rows that may be rejected.
        threads: Threads of the database; 0 uses every core.
        memory_limit: Memory of the database, such as ``"4GB"``; None lets it take most of the machine.

    Returns:
        Tables and report.

    Raises:
        ValueError: If the data or its combination with the options permits no result; one sentence says why.
    """
    with open_engine(threads=threads, memory_limit=memory_limit) as engine:
        catalogue = read_items(items, engine, item_text=item_text)
        profiles = read_users(users, engine)
        log = read_log(interactions, catalogue.rows, engine, timestamp_unit=timestamp_unit)
        rejected = _check_rejections((log, catalogue, profiles), engine, max_rejected_share)
        split = choose_split(split, log, engine)
        rows, n_rows = _reduced(log, engine, min_rating=min_rating, k_core=k_core)
        known_users = number_users(rows, profiles.rows, engine, numeric=log.integer_users)
        numbered = engine.materialise(_numbered(rows, catalogue.rows, known_users, split))
        made = engine.materialise(
            make_samples(numbered, engine, samples=samples, min_history=min_history, max_history=max_history)
        )
        splits = describe_splits(numbered, made, engine)
        check_samples(splits, log.source.label, method=split, min_history=min_history)
        corpus = Ingested(
            interactions=_table(numbered, "interactions", ["user_id", "position"], engine),
            items=_table(catalogue.rows, "items", ["item_id"], engine),
            users=_table(known_users.drop("user"), "users", ["user_id"], engine),
            samples=_table(made, "samples", ["sample_id"], engine),
            rejected_rows=_table(_all_rejected(log, catalogue, profiles), "rejected_rows", ["source", "row"], engine),
            report={
                "split": split,
                "timestamp_unit": log.timestamp_unit,
                "rows": n_rows,
                "rejected": rejected,
                "catalogue": _catalogue_report(catalogue, known_users, engine),
                "splits": splits,
                "cold_item_share_of_test": cold_item_share(numbered, engine),
            },
        )
    _log_summary(corpus.report)
    return corpus


def _all_rejected(log: InteractionLog, catalogue: Entities, profiles: Entities) -> ir.Table:
    """Return the rejected rows of all sources."""
    return log.rejected.union(catalogue.rejected, profiles.rejected)


def _check_rejections(
    read: tuple[InteractionLog | Entities, ...], engine: Engine, limit: float
) -> dict[str, dict[str, int]]:
    """Return the number of rejected rows by source and reason, if none has too many."""
    return {
        part.source.name: check_rejected_share(part.rejected, part.source, engine, n_rows=part.n_rows, limit=limit)
        for part in read
    }


def _reduced(
    log: InteractionLog, engine: Engine, *, min_rating: float | None, k_core: int
) -> tuple[ir.Table, dict[str, int]]:
    """Drop repeated, badly rated and sparse interactions; return the rest and the number of rows after every step."""
    rows = log.rows
    n_rows = {"read": log.n_rows, "usable": engine.count(rows)}
    rows = engine.materialise(without_repeats(rows))
    n_rows["without_repeats"] = engine.count(rows)
    if min_rating is not None:
        if engine.count(rows.filter(rows["rating"].notnull())) == 0:
            raise ValueError(f"{log.source.label} has no ratings, which ingestion.min_rating needs: set it to null.")
        rows = engine.materialise(rows.filter(rows["rating"] >= min_rating))
        n_rows["rated_well"] = engine.count(rows)
    if k_core > 1:
        rows = core(rows, k_core, engine)
        n_rows["in_k_core"] = engine.count(rows)
    return rows, n_rows


def _numbered(rows: ir.Table, items: ir.Table, users: ir.Table, split: SplitMethod) -> ir.Table:
    """Return the interactions as their contract says: dense ids, position in the user's sequence, split."""
    positions = ibis.row_number().over(group_by="user", order_by=IN_ORDER).cast("int32")
    with_position = with_splits(rows.mutate(position=positions), split)
    joined = with_position.join(items.select("item", "item_id"), "item").join(users.select("user", "user_id"), "user")
    return joined.mutate(rating=joined["rating"].cast("float32")).select(*SCHEMAS["interactions"].names)


def _catalogue_report(catalogue: Entities, users: ir.Table, engine: Engine) -> dict[str, int]:
    """Return the size of the catalogue and the number of known users."""
    return {
        "items": engine.count(catalogue.rows),
        "items_without_title": engine.count(catalogue.rows.filter(~catalogue.rows["has_title"])),
        "users": engine.count(users),
    }


def _table(expression: ir.Table, contract: str, order: list[str], engine: Engine) -> pa.Table:
    """Return an expression as a table whose columns are those of a contract, then any further ones."""
    schema = SCHEMAS[contract]
    further = [name for name in expression.columns if name not in schema.names] if contract == "users" else []
    table = engine.connection.to_pyarrow(expression.order_by(order).select(*schema.names, *further))
    for name in further:
        schema = schema.append(table.schema.field(name))
    return table.cast(schema)


def _log_summary(report: dict[str, Any]) -> None:
    """Log what came of the corpus in two lines."""
    rows, catalogue, splits = report["rows"], report["catalogue"], report["splits"]
    logger.info(
        "%d of %d interactions kept: %d users, %d items, split by %s",
        list(rows.values())[-1],
        rows["read"],
        catalogue["users"],
        catalogue["items"],
        report["split"],
    )
    logger.info("samples: %s", ", ".join(f"{part['samples']} {name}" for name, part in splits.items()))
    if splits["test"]["samples"] == 0:
        logger.warning("no user has a test interaction, so that nothing can be evaluated")
