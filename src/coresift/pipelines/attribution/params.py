"""Parameters of the attribution pipeline."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from coresift.parameters import StrictParameters


class EmbeddingParameters(StrictParameters):
    """How the text of a sample becomes a vector."""

    method: str = Field("tfidf", min_length=1, description="tfidf, or path or hub id of a sentence encoder.")
    dimensions: int = Field(256, ge=1, description="Width of TF-IDF vectors after truncated SVD.")


class GradientNormParameters(StrictParameters):
    """The effort score: norm of the gradient of a sample's loss."""

    enabled: bool = Field(True, description="Whether they are measured; a selector that reads none can do without.")
    parameters: Literal["lora", "last_lora_b", "linear"] = Field(
        "lora",
        description="All LoRA matrices; the papers' one: the last value projection's B; or the model's own Linears.",
    )
    batch_size: int = Field(64, ge=1, description="Samples of one forward and backward pass.")


class GradientFeatureParameters(StrictParameters):
    """Projected LoRA gradients of training and validation samples, made in the pass of the norms."""

    enabled: bool = Field(False, description="Whether they are made; a selector may measure distances on them.")
    dimensions: int = Field(512, ge=1, description="Length of a feature; the error of a cosine is 1 / sqrt of it.")


class InfluenceParameters(StrictParameters):
    """The influence score on the surrogate."""

    module: str | None = Field(
        None, description="Linear layer of the surrogate; null: the last attention output, or the last layer of DIN."
    )
    target: Literal["validation", "train"] = Field(
        "validation", description="Whose loss a helpful sample lowers; the DEALRec paper takes train."
    )
    scored: Literal["last", "sequence", "released"] = Field(
        "last", description="Items a loss is about: a sample's target, its sequence, or as DEALRec's code shifts it."
    )
    curvature: Literal["fisher", "hessian"] = Field("fisher", description="Matrix that is inverted.")
    damping: float | None = Field(None, ge=0, description="Absolute ridge; null: .1 of the mean diagonal.")
    solver: Literal["cg", "dense", "lissa"] = Field("cg", description="How the linear system is solved.")
    batch_size: int = Field(512, ge=1, description="Samples of one forward and backward pass.")


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
