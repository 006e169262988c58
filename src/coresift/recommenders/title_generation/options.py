"""Options of the generative recommender."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge
from typing_extensions import Doc

from coresift.recommenders.options import RecommenderOptions


@dataclass(frozen=True)
class TitleGenerationOptions(RecommenderOptions):
    """The generative recommender: the model writes the next title."""

    name: ClassVar[str] = "title_generation"

    decoding: Annotated[
        Literal["grounding", "trie", "likelihood"],
        Doc("Nearest titles to a free text, catalogue titles only, or every title scored exactly."),
    ] = "grounding"
    beams: Annotated[int, Ge(1), Doc("Texts kept while writing; trie lists as many titles at most.")] = 4
    loss_on: Annotated[Literal["response", "all"], Doc("Tokens that are learnt.")] = "response"
    popularity_weight: Annotated[float, Ge(0), Doc("Lets popular items come nearer in grounding; 0: no.")] = 0.0
