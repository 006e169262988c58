"""What every training sample is worth: gradient norms, influence scores, embeddings."""

from __future__ import annotations

from coresift.attribution.influence import InfluenceResult, influence_scores
from coresift.attribution.lora_gradients import gradient_norms
from coresift.attribution.resumable import no_gradient_features, norms_in_shards, training_rows
from coresift.attribution.text_embeddings import sample_embeddings

__all__ = [
    "InfluenceResult",
    "gradient_norms",
    "influence_scores",
    "no_gradient_features",
    "norms_in_shards",
    "sample_embeddings",
    "training_rows",
]
