"""Parameters of the foundation pipeline."""

from __future__ import annotations

from pydantic import Field

from coresift.foundation import FoundationOptions, SemanticIdOptions, SmallModelOptions
from coresift.parameters import StrictParameters


class SmallModelParameters(StrictParameters, SmallModelOptions):
    """Size and training of the language model that is trained here where no other is given."""


class ItemCodeParameters(StrictParameters, SemanticIdOptions):
    """The codes of items, which recommender semantic_id reads."""


class FoundationParameters(StrictParameters, FoundationOptions):
    """Which language model the project stands on, and how texts become vectors."""

    small_model: SmallModelParameters = Field(SmallModelParameters(), description="The model trained here.")
    semantic_ids: ItemCodeParameters = Field(ItemCodeParameters(), description="Codes of items.")
