"""Parameters of the attribution pipeline."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from coresift.parameters import StrictParameters


class EmbeddingParameters(StrictParameters):
    """How the text of a sample becomes a vector."""

    method: str = Field("tfidf", min_length=1, description="tfidf, or path or hub id of a sentence encoder.")
    dimensions: int = Field(256, ge=1, description="Width of TF-IDF vectors after truncated SVD.")


class GradientNormParameters(StrictParameters):
    """The effort score: norm of the gradient of a sample's loss."""

    parameters: Literal["lora", "last_lora_b"] = Field(
        "lora", description="All LoRA matrices, or the papers' one: the last value projection's B."
    )
    batch_size: int = Field(64, ge=1, description="Samples of one forward and backward pass.")


class InfluenceParameters(StrictParameters):
    """The influence score on the surrogate."""

    module: str | None = Field(None, description="Linear layer of the surrogate; null takes its last attention output.")
    target: Literal["validation", "train"] = Field(
        "validation", description="Whose loss a helpful sample lowers; the DEALRec paper takes train."
    )
    curvature: Literal["fisher", "hessian"] = Field("fisher", description="Matrix that is inverted.")
    damping: float | None = Field(None, ge=0, description="Absolute ridge; null: .1 of the mean diagonal.")
    solver: Literal["cg", "dense", "lissa"] = Field("cg", description="How the linear system is solved.")
    batch_size: int = Field(512, ge=1, description="Samples of one forward and backward pass.")


class AttributionParameters(StrictParameters):
    """Embeddings, gradient norms and influence of every training sample."""

    embedding: EmbeddingParameters = Field(EmbeddingParameters(), description="Text embeddings of samples.")
    gradient_norms: GradientNormParameters = Field(GradientNormParameters(), description="Effort scores.")
    influence: InfluenceParameters = Field(InfluenceParameters(), description="Influence scores.")
