"""Parameters of the prompting pipeline."""

from __future__ import annotations

from pydantic import Field, model_validator

from coresift.parameters import StrictParameters
from coresift.prompting import ClickQuestion, PromptingOptions, PromptTemplates


class TemplateParameters(StrictParameters, PromptTemplates):
    """The words around the data, as Jinja2 templates."""


class ClickTemplateParameters(StrictParameters, ClickQuestion):
    """The words around the data of a click sample, which recommender yes_no reads."""


class PromptingParameters(StrictParameters, PromptingOptions):
    """How samples become prompts."""

    templates: TemplateParameters = Field(TemplateParameters(), description="The words around the data.")
    click_templates: ClickTemplateParameters = Field(
        ClickTemplateParameters(), description="The same for recommender yes_no."
    )

    @model_validator(mode="after")
    def _prompt_has_room(self) -> PromptingParameters:
        if self.max_response_tokens >= self.max_tokens:
            raise ValueError("max_response_tokens leaves nothing of max_tokens to the prompt: lower it")
        return self
