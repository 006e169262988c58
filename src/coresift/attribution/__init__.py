"""What every training sample is worth: gradient norms and features, influence scores, embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coresift.doors import opened_when_used

if TYPE_CHECKING:
    from coresift.attribution.gradient_measurement import measure_gradients, no_gradients
    from coresift.attribution.influence import InfluenceResult, influence_scores, surrogate_influence
    from coresift.attribution.lora_gradients import gradient_features, gradient_norms
    from coresift.attribution.options import (
        EmbeddingOptions,
        GradientFeatureOptions,
        GradientNormOptions,
        InfluenceOptions,
    )
    from coresift.attribution.projection import GradientProjection
    from coresift.attribution.text_embeddings import sample_embeddings
    from coresift.attribution.token_loss import NOT_SCORED, mean_token_loss
else:
    __getattr__ = opened_when_used(__name__)

__all__ = [
    "NOT_SCORED",
    "EmbeddingOptions",
    "GradientFeatureOptions",
    "GradientNormOptions",
    "GradientProjection",
    "InfluenceOptions",
    "InfluenceResult",
    "gradient_features",
    "gradient_norms",
    "influence_scores",
    "mean_token_loss",
    "measure_gradients",
    "no_gradients",
    "sample_embeddings",
    "surrogate_influence",
]
