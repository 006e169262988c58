"""Nodes of the ingestion pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from coresift.parameters import DataDirectory, Seed, Threads
from coresift.pipelines.ingestion.params import IngestionParameters
from coresift.typing import Figure


def ingest_interactions(
    raw_interactions: Any,  # noqa: ANN401 - a coresift.corpus.Source, whose import would load Ibis at start-up
    raw_items: Any,  # noqa: ANN401
    raw_users: Any,  # noqa: ANN401
    *,
    parameters: IngestionParameters,
    threads: Threads,
    seed: Seed,
    data_dir: DataDirectory,
) -> tuple[Path, Path, Path, Path, Path, dict[str, Any], Figure]:
    """Clean the raw tables, number users and items, split the interactions and make samples."""
    from coresift.corpus import IngestionOptions, ingest_to_files, plot_corpus
    from coresift.storage import work_folder

    sources = (raw_interactions, raw_items, raw_users)
    options = IngestionOptions(**parameters.model_dump(), threads=threads.root, seed=seed.root)
    names = [source.shown for source in sources]
    folder = work_folder(data_dir.root, "ingestion", names, parameters.model_dump(), seed.root)
    report = ingest_to_files(*sources, folder, options)
    return (
        folder / "interactions.parquet",
        folder / "items.parquet",
        folder / "users.parquet",
        folder / "samples.parquet",
        folder / "rejected_rows.parquet",
        report,
        plot_corpus(report),
    )
