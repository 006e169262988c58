"""Parameters of the selection pipeline."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from coresift.parameters import StrictParameters


class GoracsOptions(StrictParameters):
    """Options of GORACS: optimal transport to the validation samples."""

    gradient_weight: float = Field(0.1, ge=0, description="Worth of the largest gradient norm, in largest distances.")
    representation: Literal["embedding", "gradient_feature", "state"] = Field(
        "embedding", description="Where distances are measured: text, projected gradients or surrogate states."
    )
    by_label: bool = Field(False, description="Select within classes, with the class shares of validation.")
    method: Literal["certified", "itra", "itra_released"] = Field(
        "certified", description="Ours, the paper's algorithm as intended, or as its released code behaves."
    )
    max_solves: int = Field(300, ge=1, description="Transport problems to solve at most.")
    time_limit: float | None = Field(None, gt=0, description="Seconds after which the best so far is taken.")


class DealrecOptions(StrictParameters):
    """Options of DEALRec: influence plus effort, spread over strata of the score."""

    effort_weight: float = Field(0.3, ge=0, description="Weight of the gradient norm beside the influence.")
    normalization: Literal["rank", "minmax"] = Field("rank", description="How both scores become comparable.")
    strata: Literal["width", "none"] = Field("width", description="Strata of equal score width, or the top scores.")
    n_strata: int = Field(50, ge=1, description="How many strata.")
    prune_share: float = Field(0.1, ge=0, lt=1, description="Share of the highest scores dropped as too hard.")


class RandomOptions(StrictParameters):
    """Options of random selection: none."""


class SelectionOptions(StrictParameters):
    """One section per method; only the chosen one is used."""

    goracs: GoracsOptions = Field(default_factory=GoracsOptions, description="Optimal transport.")
    dealrec: DealrecOptions = Field(default_factory=DealrecOptions, description="Influence and effort.")
    random: RandomOptions = Field(default_factory=RandomOptions, description="A uniform draw.")


class SelectionParameters(StrictParameters):
    """Which training samples the language model is tuned on."""

    method: Literal["all", "goracs", "dealrec", "random"] = Field(
        "goracs", description="How to select; 'all' takes every training sample with weight 1."
    )
    budget: int = Field(256, ge=1, description="Training samples to select.")
    export_format: Literal["messages", "prompt_completion"] = Field(
        "messages", description="Form of the exported coreset: chat messages, or prompt and completion."
    )
    options: SelectionOptions = Field(default_factory=SelectionOptions, description="Options of every method.")
