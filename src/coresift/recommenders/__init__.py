"""Recommenders on language models: how a prompt becomes a ranking of the catalogue, and what loss tunes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coresift.doors import opened_when_used

if TYPE_CHECKING:
    from coresift.recommenders.batches import Batch, LengthGroupedBatches, TrainingRows
    from coresift.recommenders.builder import RECOMMENDERS, build_recommender, probe_gradients, recommender_of
    from coresift.recommenders.contract import Recommender, ScoreBlock
    from coresift.recommenders.dense.options import DenseOptions
    from coresift.recommenders.dense.recommender import DenseRecommender
    from coresift.recommenders.inputs import LoadedModel, RecommenderInputs
    from coresift.recommenders.options import AdapterOptions, RecommenderOptions
    from coresift.recommenders.registry import RECOMMENDER_OPTIONS, recommender_options
    from coresift.recommenders.semantic_id.options import CodeModelOptions
    from coresift.recommenders.semantic_id.recommender import SemanticIdRecommender
    from coresift.recommenders.title_generation.options import TitleGenerationOptions
    from coresift.recommenders.title_generation.recommender import TitleGenerationRecommender
    from coresift.recommenders.tokens import with_histories
    from coresift.recommenders.yes_no.options import YesNoOptions
    from coresift.recommenders.yes_no.recommender import YesNoRecommender
else:
    __getattr__ = opened_when_used(__name__)

__all__ = [
    "RECOMMENDERS",
    "RECOMMENDER_OPTIONS",
    "AdapterOptions",
    "Batch",
    "CodeModelOptions",
    "DenseOptions",
    "DenseRecommender",
    "LengthGroupedBatches",
    "LoadedModel",
    "Recommender",
    "RecommenderInputs",
    "RecommenderOptions",
    "ScoreBlock",
    "SemanticIdRecommender",
    "TitleGenerationOptions",
    "TitleGenerationRecommender",
    "TrainingRows",
    "YesNoOptions",
    "YesNoRecommender",
    "build_recommender",
    "probe_gradients",
    "recommender_of",
    "recommender_options",
    "with_histories",
]
