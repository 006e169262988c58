"""Recommenders on language models: how a prompt becomes a ranking of the catalogue, and what loss tunes it."""

from __future__ import annotations

from coresift.recommenders.batches import LengthGroupedBatches
from coresift.recommenders.dense.recommender import DenseRecommender
from coresift.recommenders.language_model import LanguageModelRecommender
from coresift.recommenders.protocol import (
    AdapterOptions,
    Batch,
    ClickRecommender,
    RankingRecommender,
    Recommender,
    TrainingRows,
)
from coresift.recommenders.registry import RECOMMENDERS, build_recommender
from coresift.recommenders.semantic_id.recommender import SemanticIdRecommender
from coresift.recommenders.title_generation.recommender import TitleGenerationRecommender
from coresift.recommenders.tokens import with_histories
from coresift.recommenders.yes_no.recommender import YesNoRecommender

__all__ = [
    "RECOMMENDERS",
    "AdapterOptions",
    "Batch",
    "ClickRecommender",
    "DenseRecommender",
    "LanguageModelRecommender",
    "LengthGroupedBatches",
    "RankingRecommender",
    "Recommender",
    "SemanticIdRecommender",
    "TitleGenerationRecommender",
    "TrainingRows",
    "YesNoRecommender",
    "build_recommender",
    "with_histories",
]
