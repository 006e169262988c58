"""How samples become prompts: the words around the data, and what of a history is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, TypeAlias

from annotated_types import Ge
from typing_extensions import Doc

HistoryItem: TypeAlias = Annotated[
    str, Doc("One item of a history; item has title, categories, text and rating (None if unknown).")
]


@dataclass(frozen=True)
class PromptTemplates:
    """Jinja2 source of the three parts of a sample's text."""

    history_item: HistoryItem = "{{ item.title }}"
    prompt: Annotated[
        str, Doc("What the model is asked; history is the list of rendered items, user the profile's columns.")
    ] = "{{ history | join('; ') }}\nNext:\n"
    response: Annotated[str, Doc("What it shall answer; target has title, categories and text.")] = "{{ target.title }}"

    section: ClassVar[str] = "templates"
    variables: ClassVar[dict[str, tuple[str, ...]]] = {
        "history_item": ("item",),
        "prompt": ("history", "user"),
        "response": ("target",),
    }
    """Variables of each template. The prompt knows nothing of the target, so that it cannot give it away."""


@dataclass(frozen=True)
class ClickQuestion:
    """Jinja2 source of a question whether one item will be liked (TALLRec, arXiv 2305.00447)."""

    history_item: HistoryItem = "{{ item.title }}"
    prompt: Annotated[
        str,
        Doc(
            "The question; liked and disliked are lists of rendered items, candidate is the item in question with "
            "title, categories and text, user the profile's columns."
        ),
    ] = "Liked: {{ liked | join('; ') }}\nDisliked: {{ disliked | join('; ') }}\nLikes {{ candidate.title }}?\n"
    like_rating: Annotated[float, Doc("Lowest rating of an item that was liked; unrated ones were.")] = 4.0

    section: ClassVar[str] = "click_templates"
    variables: ClassVar[dict[str, tuple[str, ...]]] = {
        "history_item": ("item",),
        "prompt": ("liked", "disliked", "candidate", "user"),
    }


@dataclass(frozen=True)
class ClickTemplates(ClickQuestion):
    """A question, and the words that answer it."""

    answers: Annotated[tuple[str, str], Doc("The positive and the negative answer, verbatim.")] = ("Yes", "No")


@dataclass(frozen=True)
class PromptingOptions:
    """What of a sample is read, and how long its text may be."""

    history_length: Annotated[int, Ge(0), Doc("Items of a history that are read.")] = 8
    history_choice: Annotated[
        Literal["recent", "similar"],
        Doc("The recent items, or those similar to a click sample's candidate, in time order."),
    ] = "recent"
    history_order: Annotated[Literal["newest_first", "oldest_first"], Doc("Order of the items in a prompt.")] = (
        "newest_first"
    )
    max_tokens: Annotated[int, Ge(8), Doc("Tokens of prompt and response together, special tokens included.")] = 128
    max_response_tokens: Annotated[int, Ge(2), Doc("Tokens set apart for the response within that.")] = 32
