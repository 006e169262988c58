"""Parameters of the selection pipeline."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import Field

from coresift.parameters import StrictParameters
from coresift.pipelines.selection import baseline_options as baselines


class GoracsOptions(StrictParameters):
    """Options of GORACS: optimal transport to the validation samples."""

    gradient_weight: float = Field(0.1, ge=0, description="Worth of the largest gradient norm, in largest distances.")
    gradient_term: Literal["norm", "alignment"] = Field(
        "norm", description="What is rewarded: the gradient norm, or alignment with the mean validation gradient."
    )
    representation: Literal["embedding", "gradient_feature", "state"] = Field(
        "embedding", description="Where distances are measured: text, projected gradients or surrogate states."
    )
    state_weight: float = Field(
        0.0, ge=0, le=1, description="Share of the surrogate states in the squared distance, beside the representation."
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
    strata: Literal["width", "quantile", "none"] = Field(
        "width", description="Strata of equal score width, of equally many candidates, or the top scores."
    )
    n_strata: int = Field(50, ge=1, description="How many strata.")
    prune_share: float = Field(0.1, ge=0, lt=1, description="Share of the highest scores dropped as too hard.")
    quota_exponent: float = Field(
        0.0, ge=0, le=1, description="Shares of strata: 0 equal (the paper's) to 1 in proportion to their sizes."
    )
    temperature: float = Field(
        0.0, ge=0, description="Without strata: 0 takes the top scores, above 0 draws with odds exp(score / it)."
    )


class SelectionOptions(StrictParameters):
    """One section per method; only the chosen one is used."""

    goracs: GoracsOptions = Field(default_factory=GoracsOptions, description="Optimal transport.")
    dealrec: DealrecOptions = Field(default_factory=DealrecOptions, description="Influence and effort.")
    random: baselines.RandomOptions = Field(baselines.RandomOptions(), description="A uniform draw.")
    stratified_random: baselines.StratifiedRandomOptions = Field(
        baselines.StratifiedRandomOptions(), description="A draw within cells of history length and popularity."
    )
    grand: baselines.GrandOptions = Field(baselines.GrandOptions(), description="Largest gradient norms.")
    el2n: baselines.El2nOptions = Field(baselines.El2nOptions(), description="Largest prediction errors.")
    ccs: baselines.CcsOptions = Field(baselines.CcsOptions(), description="Strata of difficulty.")
    d2_pruning: baselines.D2PruningOptions = Field(baselines.D2PruningOptions(), description="Messages on a graph.")
    moderate: baselines.ModerateOptions = Field(baselines.ModerateOptions(), description="Median distances.")
    k_center: baselines.KCenterOptions = Field(baselines.KCenterOptions(), description="The farthest next.")
    herding: baselines.HerdingOptions = Field(baselines.HerdingOptions(), description="The pool's mean.")
    facility_location: baselines.FacilityLocationOptions = Field(
        baselines.FacilityLocationOptions(), description="Cover of the pool."
    )
    knn: baselines.KnnOptions = Field(baselines.KnnOptions(), description="Nearest to validation, in turn.")
    less: baselines.LessOptions = Field(baselines.LessOptions(), description="Aligned gradients.")
    gist: baselines.GistOptions = Field(baselines.GistOptions(), description="Alignment in a subspace.")
    tsds: baselines.TsdsOptions = Field(baselines.TsdsOptions(), description="Spread-out transport.")
    target_loss_drop: baselines.TargetLossDropOptions = Field(
        baselines.TargetLossDropOptions(), description="What a warm-up on validation makes easier."
    )
    goracs_greedy: baselines.GoracsGreedyOptions = Field(
        baselines.GoracsGreedyOptions(), description="The greedy start of GORACS."
    )
    dealrec_shuffled: DealrecOptions = Field(
        default_factory=DealrecOptions, description="DEALRec with shuffled scores, a control."
    )


Method: TypeAlias = Literal[
    "all", "goracs", "dealrec", "random", "stratified_random", "grand", "el2n", "ccs", "d2_pruning", "moderate",
    "k_center", "herding", "facility_location", "knn", "less", "gist", "tsds", "target_loss_drop", "goracs_greedy",
    "dealrec_shuffled",
]  # fmt: skip


class SelectionParameters(StrictParameters):
    """Which training samples the language model is tuned on."""

    method: Method = Field("goracs", description="How to select; 'all' takes every training sample with weight 1.")
    budget: int = Field(256, ge=1, description="Training samples to select.")
    state_clusters: int = Field(
        0, ge=0, description="Clusters of surrogate states that each get a part of the budget; 0 for none."
    )
    export_format: Literal["messages", "prompt_completion"] = Field(
        "messages", description="Form of the exported coreset: chat messages, or prompt and completion."
    )
    options: SelectionOptions = Field(default_factory=SelectionOptions, description="Options of every method.")

    @property
    def reads_gradient_features(self) -> bool:
        """Whether the chosen method needs the dataset ``gradient_features``."""
        options = getattr(self.options, self.method, None)
        return (
            self.method in ("less", "gist")
            or getattr(options, "representation", None) == "gradient_feature"
            or getattr(options, "gradient_term", None) == "alignment"
        )

    @property
    def reads_gradient_norms(self) -> bool:
        """Whether the chosen method needs the dataset ``gradient_norms``."""
        options = getattr(self.options, self.method, None)
        rewards_norms = (
            getattr(options, "gradient_weight", 0) > 0 and getattr(options, "gradient_term", "norm") == "norm"
        )
        return (
            self.method in ("dealrec", "dealrec_shuffled")
            or getattr(options, "score", None) == "gradient_norm"
            or rewards_norms
        )
