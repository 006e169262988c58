"""Parameters of the attribution pipeline."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from coresift.attribution import EmbeddingOptions, GradientFeatureOptions, GradientNormOptions, InfluenceOptions
from coresift.parameters import StrictParameters


class EmbeddingParameters(StrictParameters, EmbeddingOptions):
    """How the text of a sample becomes a vector."""


class GradientNormParameters(StrictParameters, GradientNormOptions):
    """The effort score: norm of the gradient of a sample's loss."""


class GradientFeatureParameters(StrictParameters, GradientFeatureOptions):
    """Projected LoRA gradients of training and validation samples, made in the pass of the norms."""


class InfluenceParameters(StrictParameters, InfluenceOptions):
    """The influence score on the surrogate."""


class AttributionParameters(StrictParameters):
    """Embeddings, gradient norms and influence of every training sample."""

    embedding: EmbeddingParameters = Field(EmbeddingParameters(), description="Text embeddings of samples.")
    gradient_norms: GradientNormParameters = Field(GradientNormParameters(), description="Effort scores.")
    gradient_features: GradientFeatureParameters = Field(
        GradientFeatureParameters(), description="Projected gradients."
    )
    influence: InfluenceParameters = Field(InfluenceParameters(), description="Influence scores.")

    @model_validator(mode="after")
    def _features_come_with_norms(self) -> Self:
        if self.gradient_features.enabled and not self.gradient_norms.enabled:
            raise ValueError("gradient_features are made in the pass of the norms: set gradient_norms.enabled to true")
        return self
