"""The surrogate: a small, fast recommender whose states and losses stand in for those of the language model."""

from __future__ import annotations

from coresift.surrogate.exporting import (
    item_vectors,
    load_surrogate,
    save_surrogate,
    surrogate_fingerprint,
    surrogate_states,
)
from coresift.surrogate.sample_batches import SurrogateBatches, sample_losses, surrogate_batches
from coresift.surrogate.sasrec import SasRec, SasRecConfig
from coresift.surrogate.training import SurrogateOptions, TrainedSurrogate, train_surrogate

__all__ = [
    "SasRec",
    "SasRecConfig",
    "SurrogateBatches",
    "SurrogateOptions",
    "TrainedSurrogate",
    "item_vectors",
    "load_surrogate",
    "sample_losses",
    "save_surrogate",
    "surrogate_batches",
    "surrogate_fingerprint",
    "surrogate_states",
    "train_surrogate",
]
