"""Nodes of the ingestion pipeline."""

from __future__ import annotations

from typing import Any

from coresift.parameters import Threads
from coresift.pipelines.ingestion.params import IngestionParameters
from coresift.typing import Table


def ingest_interactions(
    raw_interactions: Any,  # noqa: ANN401 - a coresift.corpus.Source, whose import would load Ibis at start-up
    raw_items: Any,  # noqa: ANN401
    raw_users: Any,  # noqa: ANN401
    *,
    parameters: IngestionParameters,
    threads: Threads,
) -> tuple[Table, Table, Table, Table, Table, dict[str, Any]]:
    """Clean the raw tables, number users and items, split the interactions and make samples."""
    from coresift.corpus import ingest

    corpus = ingest(raw_interactions, raw_items, raw_users, threads=threads.root, **parameters.model_dump())
    return (
        corpus.interactions,
        corpus.items,
        corpus.users,
        corpus.samples,
        corpus.rejected_rows,
        corpus.report,
    )
