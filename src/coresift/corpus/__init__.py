"""Corpora: raw tables become clean interactions, items, users and samples; a simulated shop serves as example."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coresift.doors import opened_when_used

if TYPE_CHECKING:
    from coresift.corpus.corpus_figure import plot_corpus
    from coresift.corpus.ingestion import Ingested, ingest, ingest_to_files
    from coresift.corpus.options import CorpusOptions, IngestionOptions
    from coresift.corpus.simulation import EmbeddedCorpus, embedded_corpus
    from coresift.corpus.sources.readers import FORMATS
    from coresift.corpus.sources.source import Source, open_source
else:
    __getattr__ = opened_when_used(__name__)

__all__ = [
    "FORMATS",
    "CorpusOptions",
    "EmbeddedCorpus",
    "Ingested",
    "IngestionOptions",
    "Source",
    "embedded_corpus",
    "ingest",
    "ingest_to_files",
    "open_source",
    "plot_corpus",
]
