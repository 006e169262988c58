"""Parameters of the prompting pipeline."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from coresift.parameters import StrictParameters


class TemplateParameters(StrictParameters):
    """The words around the data, as Jinja2 templates."""

    history_item: str = Field(
        "{{ item.title }}", description="One item of a history; item has title, categories, text and rating."
    )
    prompt: str = Field(
        "{{ history | join('; ') }}\nNext:\n",
        description="What the model is asked; history is the list of rendered items, user the profile's columns.",
    )
    response: str = Field(
        "{{ target.title }}", description="What it shall answer; target has title, categories and text."
    )


class ClickTemplateParameters(StrictParameters):
    """The words around the data of a click sample, which recommender yes_no reads."""

    history_item: str = Field(
        "{{ item.title }}", description="One item of a history; item has title, categories, text and rating."
    )
    prompt: str = Field(
        "Liked: {{ liked | join('; ') }}\nDisliked: {{ disliked | join('; ') }}\nLikes {{ candidate.title }}?\n",
        description="The question; liked and disliked are lists of rendered items, candidate has title, categories "
        "and text, user the profile's columns.",
    )
    like_rating: float = Field(4.0, description="Lowest rating of an item that was liked; unrated ones were.")


class PromptingParameters(StrictParameters):
    """How samples become prompts."""

    templates: TemplateParameters = Field(TemplateParameters(), description="The words around the data.")
    click_templates: ClickTemplateParameters = Field(
        ClickTemplateParameters(), description="The same for recommender yes_no."
    )
    history_length: int = Field(8, ge=0, description="Items of a history that are read.")
    history_choice: Literal["recent", "similar"] = Field(
        "recent", description="The recent items, or those similar to a click sample's candidate."
    )
    history_order: Literal["newest_first", "oldest_first"] = Field(
        "newest_first", description="Order of the items in a prompt."
    )
    max_tokens: int = Field(128, ge=8, description="Tokens of prompt and response together.")
    max_response_tokens: int = Field(32, ge=2, description="Tokens set apart for the response within that.")

    @model_validator(mode="after")
    def _prompt_has_room(self) -> PromptingParameters:
        if self.max_response_tokens >= self.max_tokens:
            raise ValueError("max_response_tokens leaves nothing of max_tokens to the prompt: lower it")
        return self
