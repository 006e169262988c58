"""coresift fine-tunes LLM recommenders on the few training samples that matter."""

__version__ = "0.1.0"
