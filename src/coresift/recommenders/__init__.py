"""Recommenders on language models: how a prompt becomes a ranking of the catalogue, and what loss tunes it."""

from __future__ import annotations

from coresift.recommenders.dense import DenseRecommender
from coresift.recommenders.length_groups import LengthGroupedBatches
from coresift.recommenders.protocol import AdapterOptions, Batch, Recommender, TrainingRows
from coresift.recommenders.registry import RECOMMENDERS, build_recommender
from coresift.recommenders.tokens import with_histories

__all__ = [
    "RECOMMENDERS",
    "AdapterOptions",
    "Batch",
    "DenseRecommender",
    "LengthGroupedBatches",
    "Recommender",
    "TrainingRows",
    "build_recommender",
    "with_histories",
]
