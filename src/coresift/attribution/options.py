"""What is measured of every training sample, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, MinLen
from typing_extensions import Doc


@dataclass(frozen=True)
class EmbeddingOptions:
    """How the text of a sample becomes a vector."""

    method: Annotated[str, MinLen(1), Doc("tfidf, or path or hub id of a sentence encoder.")] = "tfidf"
    dimensions: Annotated[int, Ge(1), Doc("Width of TF-IDF vectors after truncated SVD.")] = 256


@dataclass(frozen=True)
class GradientNormOptions:
    """The effort score: norm of the gradient of a sample's loss."""

    enabled: Annotated[bool, Doc("Whether they are measured; a selector that reads none can do without.")] = True
    parameters: Annotated[
        Literal["lora", "last_lora_b", "linear"],
        Doc("All LoRA matrices; the papers' one: the last value projection's B; or the model's own Linears."),
    ] = "lora"
    batch_size: Annotated[int, Ge(1), Doc("Samples of one forward and backward pass.")] = 64


@dataclass(frozen=True)
class GradientFeatureOptions:
    """Projected LoRA gradients of training and validation samples, made in the pass of the norms."""

    enabled: Annotated[bool, Doc("Whether they are made; a selector may measure distances on them.")] = False
    dimensions: Annotated[int, Ge(1), Doc("Length of a feature; the error of a cosine is 1 / sqrt of it.")] = 512


@dataclass(frozen=True)
class InfluenceOptions:
    """The influence score on the surrogate."""

    module: Annotated[
        str | None,
        Doc("Linear layer of the surrogate; null: the last attention output, or the last layer of DIN."),
    ] = None
    target: Annotated[
        Literal["validation", "train"],
        Doc("Whose loss a helpful sample lowers; the DEALRec paper takes train."),
    ] = "validation"
    scored: Annotated[
        Literal["last", "sequence", "released"],
        Doc("Items a loss is about: a sample's target, its sequence, or as DEALRec's code shifts it."),
    ] = "last"
    curvature: Annotated[Literal["fisher", "hessian"], Doc("Matrix that is inverted.")] = "fisher"
    damping: Annotated[float | None, Ge(0), Doc("Absolute ridge; null: .1 of the mean diagonal.")] = None
    solver: Annotated[Literal["cg", "dense", "lissa"], Doc("How the linear system is solved.")] = "cg"
    batch_size: Annotated[int, Ge(1), Doc("Samples of one forward and backward pass.")] = 512
