"""Options of the click recommender."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from typing_extensions import Doc

from coresift.recommenders.options import RecommenderOptions


@dataclass(frozen=True)
class YesNoOptions(RecommenderOptions):
    """The click recommender: will the user like the item, yes or no."""

    name: ClassVar[str] = "yes_no"

    answers: Annotated[tuple[str, str], Doc("Positive and negative answer, one token each.")] = ("Yes", "No")
    pooling: Annotated[Literal["mean", "last"], Doc("Which token states an encoder's answer reads.")] = "mean"

    @property
    def click_answers(self) -> tuple[str, str]:
        """The positive and the negative answer."""
        return self.answers
