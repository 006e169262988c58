"""From raw tables to interactions, items, users and samples that satisfy the contracts."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.dataset as ds

from coresift.corpus.cleaning.catalogue import USER, Entities, number_users, read_items, read_users
from coresift.corpus.cleaning.interaction_log import IN_ORDER, InteractionLog, read_log
from coresift.corpus.cleaning.rejections import check_rejected_share
from coresift.corpus.corpus_report import (
    check_both_labels,
    check_samples,
    describe_corpus,
    describe_splits,
    warnings_about,
)
from coresift.corpus.engines.duckdb_engine import open_duckdb
from coresift.corpus.engines.engine import WORK_PREFIX, Engine
from coresift.corpus.engines.spark_engine import open_spark
from coresift.corpus.options import IngestionOptions, SplitMethod
from coresift.corpus.reduction import reduced
from coresift.corpus.sampling.samples import make_samples
from coresift.corpus.sampling.splits import Cutoffs, choose_split, with_splits
from coresift.corpus.sources.source import Source, check_apart
from coresift.storage import SCHEMAS, discard_left_overs, locked, replace

logger = logging.getLogger(__name__)

ORDERS = {
    "interactions": ["user_id", "position"],
    "items": ["item_id"],
    "users": ["user_id"],
    "samples": ["sample_id"],
    "rejected_rows": ["source", "row"],
}
"""The tables of a corpus, and the columns that order their rows."""
PUBLISHING = ".publishing"
"""File that is locked while the tables are replaced."""


@dataclass(frozen=True)
class Ingested:
    """A corpus ready for use: five tables as their contracts say, and a report of plain values."""

    interactions: pa.Table
    items: pa.Table
    users: pa.Table
    samples: pa.Table
    rejected_rows: pa.Table
    report: dict[str, Any]


@dataclass(frozen=True)
class _Corpus:
    """A corpus inside the engine."""

    tables: dict[str, ir.Table]
    report: dict[str, Any]


def ingest(interactions: Source, items: Source, users: Source, **options: Any) -> Ingested:  # noqa: ANN401
    """Ingest into memory what :func:`ingest_to_files` writes to files.

    Args:
        interactions: See ``ingest_to_files``.
        items: See there.
        users: See there.
        options: Those of :class:`~coresift.corpus.options.IngestionOptions`.
    """
    with tempfile.TemporaryDirectory(prefix="coresift-") as folder:
        report = ingest_to_files(interactions, items, users, Path(folder), IngestionOptions(**options))
        tables = {name: _loaded(Path(folder) / f"{name}.parquet", name) for name in ORDERS}
    return Ingested(**tables, report=report)


def ingest_to_files(
    interactions: Source, items: Source, users: Source, folder: Path, options: IngestionOptions | None = None
) -> dict[str, Any]:
    """Clean raw tables, number users and items, split the interactions and make samples.

    Rows that cannot be used are set apart. Of several interactions of a user with an item that are neither outside the
    time window nor rated too low, the first counts. The catalogue is every usable row of the items, whether or not
    anyone interacted with it. No table is held in memory.

    Args:
        interactions: user_id, item_id, one of timestamp and position; optionally rating and split.
        items: item_id, title; optionally category.
        users: user_id and any profile columns; may be empty.
        folder: Where ``interactions.parquet``, ``items.parquet``, ``users.parquet``, ``samples.parquet`` and
            ``rejected_rows.parquet`` are written, each a file or, by Spark, a folder of files. Older ones are
            replaced when all five are whole. Raw tables must lie elsewhere. Calls at once do not disturb each other.
        options: What can be chosen.

    Returns:
        The report, of plain values.

    Raises:
        ValueError: If the output folder holds the input, or if the data or its combination with the options permits
            no result; one sentence says why.
    """
    options = options or IngestionOptions()
    targets = {name: folder / f"{name}.parquet" for name in ORDERS}
    for source in (interactions, items, users):
        check_apart(source, folder, list(targets.values()))
    folder.mkdir(parents=True, exist_ok=True)
    discard_left_overs(folder, WORK_PREFIX)
    with _open_engine(options, folder) as engine:
        corpus = _corpus(interactions, items, users, engine, options)
        finished = {
            name: engine.write(_as_contracted(corpus.tables[name], name), order, engine.folder / targets[name].name)
            for name, order in ORDERS.items()
        }
        _publish(finished, folder)
    _log_summary(corpus.report)
    return corpus.report


def _publish(finished: dict[str, Path], folder: Path) -> None:
    """Move the five tables to where they belong, so that two calls at once never mix theirs."""
    with locked(folder / PUBLISHING):
        for name, path in finished.items():
            replace(path, folder / f"{name}.parquet")


@contextmanager
def _open_engine(options: IngestionOptions, folder: Path) -> Iterator[Engine]:
    """Open the engine that was chosen; intermediate data lies beside the results."""
    shared: dict[str, Any] = {"threads": options.threads, "memory_limit": options.memory_limit, "folder": folder}
    opened = open_spark(settings=options.spark, **shared) if options.engine == "spark" else open_duckdb(**shared)
    with opened as engine:
        yield engine


def _corpus(interactions: Source, items: Source, users: Source, engine: Engine, options: IngestionOptions) -> _Corpus:
    """Compute everything inside the engine."""
    catalogue = read_items(items, engine, item_text=options.item_text)
    profiles = read_users(users, engine)
    log = read_log(interactions, catalogue.rows, engine, timestamp_unit=options.timestamp_unit)
    parts = (log, catalogue, profiles)
    rejected = _check_rejections(parts, engine, options.max_rejected_share)
    split = choose_split(options.split, log, engine)
    rows, n_rows = reduced(log, engine, options)
    known_users = number_users(rows, profiles.rows, engine, numeric=log.integer_users)
    numbered = engine.materialize(_numbered(rows, known_users, engine, split, options))
    n_items = engine.count(catalogue.rows)
    samples = make_samples(numbered, engine, options, n_items=n_items)
    made = engine.materialize(samples.rows)
    splits = describe_splits(numbered, made, engine)
    check_samples(splits, log.source.shown, method=split, min_history=options.min_history)
    if options.samples == "click":
        check_both_labels(splits, log.source.shown, options.positive_rating)
    report = {
        "split": split,
        "timestamp_unit": log.timestamp_unit,
        "rows": n_rows,
        "rejected": rejected,
        "surprises": {part.source.name: part.surprises for part in parts},
        "profiles": {"rows": profiles.n_rows, "matched": engine.count(profiles.rows.semi_join(known_users, USER))},
        "catalogue": {
            "items": n_items,
            "items_without_title": engine.count(catalogue.rows.filter(~catalogue.rows["has_title"])),
            "users": engine.count(known_users),
        },
        "splits": splits,
        "cut_histories": samples.n_cut,
        **describe_corpus(numbered, made, engine),
    }
    return _Corpus(
        {
            "interactions": numbered,
            "items": catalogue.rows,
            "users": known_users.drop(USER),
            "samples": made,
            "rejected_rows": log.rejected.union(catalogue.rejected, profiles.rejected),
        },
        {**report, "warnings": warnings_about(report)},
    )


def _check_rejections(
    read: tuple[InteractionLog | Entities, ...], engine: Engine, limit: float
) -> dict[str, dict[str, int]]:
    """Return the number of rejected rows by source and reason, if none has too many."""
    return {
        part.source.name: check_rejected_share(part.rejected, part.source, engine, n_rows=part.n_rows, limit=limit)
        for part in read
    }


def _numbered(
    rows: ir.Table, users: ir.Table, engine: Engine, split: SplitMethod, options: IngestionOptions
) -> ir.Table:
    """Return the interactions as their contract says: dense ids, position in the user's sequence, split."""
    joined = rows.join(users.select("user_id", user=users[USER]), "user").drop("user")
    positions = ibis.row_number().over(group_by="user_id", order_by=IN_ORDER).cast("int32")
    placed = engine.materialize(joined.mutate(position=positions))
    cutoffs = Cutoffs.from_text(options.valid_from, options.test_from)
    divided = with_splits(placed, split, engine, cutoffs=cutoffs)
    return divided.mutate(rating=divided["rating"].cast("float32")).select(*SCHEMAS["interactions"].names)


def _as_contracted(table: ir.Table, name: str) -> ir.Table:
    """Return a table with the columns and types of its contract; users keep their further columns at the end."""
    contract = ibis.Schema.from_pyarrow(SCHEMAS[name])
    further = [column for column in table.columns if column not in contract] if name == "users" else []
    return table.select(*(table[column].cast(kind).name(column) for column, kind in contract.items()), *further)


def _loaded(path: Path, name: str) -> pa.Table:
    """Read a finished table back, with the exact types of its contract."""
    table = ds.dataset(path, format="parquet").to_table()
    schema = SCHEMAS[name]
    for column in table.column_names[len(schema) :]:
        schema = schema.append(table.schema.field(column))
    return table.cast(schema)


def _log_summary(report: dict[str, Any]) -> None:
    """Log what came of the corpus in two lines, and what is seldom meant."""
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
    for sentence in report["warnings"]:
        logger.warning("%s", sentence)
