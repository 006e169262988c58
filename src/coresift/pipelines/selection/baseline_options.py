"""Options of the methods that GORACS and DEALRec are compared with."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import Field

from coresift.parameters import StrictParameters

Representation: TypeAlias = Literal["embedding", "gradient_feature", "state"]
Difficulty: TypeAlias = Literal["el2n", "loss", "grand", "forgetting", "gradient_norm"]
Subtasks: TypeAlias = Literal["sample", "label"]
WHERE = "Where distances are measured: text, projected gradients or surrogate states."


class RandomOptions(StrictParameters):
    """Options of random selection: none."""


class StratifiedRandomOptions(StrictParameters):
    """Options of a random draw that keeps the mix of history lengths and target popularities."""

    n_bins: int = Field(10, ge=1, description="Quantiles of each of the two traits.")


class GrandOptions(StrictParameters):
    """Options of GraNd: the largest gradient norms."""

    score: Literal["grand", "gradient_norm"] = Field("grand", description="The surrogate's, or the language model's.")


class El2nOptions(StrictParameters):
    """Options of EL2N: none."""


class CcsOptions(StrictParameters):
    """Options of coverage-centric selection: even draws over strata of difficulty."""

    score: Difficulty = Field("el2n", description="What counts as difficulty.")
    n_strata: int = Field(50, ge=1, description="How many strata of equal width.")
    prune_share: float = Field(0.1, ge=0, lt=1, description="Share of the hardest candidates dropped first.")


class D2PruningOptions(StrictParameters):
    """Options of D2 pruning: difficulty and diversity on a neighbour graph."""

    score: Difficulty = Field("el2n", description="What counts as difficulty.")
    representation: Representation = Field("embedding", description=WHERE)
    n_neighbors: int = Field(10, ge=1, description="Neighbours of a candidate.")
    decay: float | None = Field(
        None, ge=0, description="How fast a selected candidate's reach falls with distance; null: 1 / dimensions."
    )


class ModerateOptions(StrictParameters):
    """Options of the moderate coreset: median distances to class means."""

    representation: Representation = Field("embedding", description=WHERE)
    classes: Literal["cluster", "label"] = Field("cluster", description="k-means clusters, or the samples' labels.")
    n_clusters: int = Field(25, ge=1, description="Clusters at most.")


class KCenterOptions(StrictParameters):
    """Options of k-center greedy: the farthest candidate next."""

    representation: Representation = Field("embedding", description=WHERE)
    outlier_share: float = Field(0.05, ge=0, lt=1, description="Share of the candidates left out as outliers.")


class HerdingOptions(StrictParameters):
    """Options of herding: a selection with the pool's mean."""

    representation: Representation = Field("embedding", description=WHERE)


class FacilityLocationOptions(StrictParameters):
    """Options of facility location: every candidate like some selected one."""

    representation: Representation = Field("embedding", description=WHERE)


class KnnOptions(StrictParameters):
    """Options of nearest neighbours of validation, in turn."""

    representation: Representation = Field("embedding", description=WHERE)


class LessOptions(StrictParameters):
    """Options of LESS: gradients that point where validation gradients point."""

    aggregation: Literal["max", "round_robin"] = Field("max", description="The highest scores, or subtasks in turn.")
    subtasks: Subtasks = Field("sample", description="Each validation sample for itself, or the mean of each class.")


class GistOptions(StrictParameters):
    """Options of GIST: alignment in the leading subspace of the validation gradients."""

    rank: int = Field(150, ge=1, description="Dimensions of the subspace at most.")
    subtasks: Subtasks = Field("sample", description="Each validation sample for itself, or the mean of each class.")


class TsdsOptions(StrictParameters):
    """Options of TSDS: draws from a transport plan that is kept spread out."""

    density: Literal["uniform", "kernel"] = Field(
        "kernel", description="Equal mass for all neighbours, or divided by the local density."
    )
    representation: Representation = Field("embedding", description=WHERE)
    alignment_weight: float = Field(0.5, ge=0, le=1, description="Nearness against spread: 1 takes the nearest only.")
    bandwidth: float = Field(0.15, gt=0, description="Radius of near-duplicates, in mean norms of the candidates.")
    max_neighbors: int = Field(500, ge=1, description="Candidates one validation sample can give mass to.")


class TargetLossDropOptions(StrictParameters):
    """Options of the target-aligned loss drop: none."""


class GoracsGreedyOptions(StrictParameters):
    """Options of the greedy start of GORACS alone."""

    gradient_weight: float = Field(0.1, ge=0, description="Worth of the largest gradient norm, in largest distances.")
    representation: Representation = Field("embedding", description=WHERE)
