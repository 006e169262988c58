"""A simulated shop: the corpus that a run without data of its own reads."""

from coresift.corpus.simulation.shop import EmbeddedCorpus, embedded_corpus

__all__ = ["EmbeddedCorpus", "embedded_corpus"]
