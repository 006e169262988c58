"""Corpora: raw tables become clean interactions, items, users and samples; a simulated shop serves as example."""

from coresift.corpus.ingestion import Ingested, ingest
from coresift.corpus.simulation import EmbeddedCorpus, embedded_corpus
from coresift.corpus.sources import Source, open_source

__all__ = ["EmbeddedCorpus", "Ingested", "Source", "embedded_corpus", "ingest", "open_source"]
