"""What every training sample is worth: gradient norms and features, influence scores, embeddings."""

from __future__ import annotations

from coresift.attribution.gradient_measurement import measure_gradients, no_gradients
from coresift.attribution.influence import InfluenceResult, influence_scores, surrogate_influence
from coresift.attribution.lora_gradients import gradient_features, gradient_norms
from coresift.attribution.projection import GradientProjection
from coresift.attribution.text_embeddings import sample_embeddings
from coresift.attribution.token_loss import NOT_SCORED, mean_token_loss

__all__ = [
    "NOT_SCORED",
    "GradientProjection",
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
