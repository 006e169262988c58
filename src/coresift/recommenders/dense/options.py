"""Options of the dense recommender."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge, Gt, Le
from typing_extensions import Doc

from coresift.recommenders.options import RecommenderOptions


@dataclass(frozen=True)
class DenseOptions(RecommenderOptions):
    """The dense recommender: prompt and items as vectors, the nearest items first."""

    name: ClassVar[str] = "dense"

    pooling: Annotated[Literal["mean", "last"], Doc("Which token vectors become the embedding.")] = "mean"
    temperature: Annotated[float, Gt(0), Doc("Divides the cosine similarities in the softmax.")] = 0.05
    negatives: Annotated[
        int, Ge(0), Doc("Random items per training step beside the in-batch targets; as many are fixed for gradients.")
    ] = 128
    history_share: Annotated[
        float,
        Ge(0),
        Le(1),
        Doc("Share of the history's items in what a prompt ranks by; training reads prompts alone."),
    ] = 0.4
    history_decay: Annotated[float, Gt(0), Le(1), Doc("Weight of an older item, relative to the next newer.")] = 0.75
