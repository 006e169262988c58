"""Parameters of the ingestion pipeline."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from coresift.parameters import StrictParameters


class IngestionParameters(StrictParameters):
    """How raw tables become interactions, items, users and samples."""

    split: Literal["auto", "given", "global_time", "per_user_time", "leave_one_out"] = Field(
        "auto", description="How to split; auto takes the split that came with the data, else global time 8:1:1."
    )
    samples: Literal["last", "sliding_window", "all_prefixes"] = Field(
        "last", description="Targets in training: each user's last item, one per full window, or every item."
    )
    min_history: int = Field(1, ge=0, description="Shortest history of a training sample, in interactions.")
    max_history: int = Field(0, ge=0, description="Longest history of a training sample; 0 keeps all.")
    min_rating: float | None = Field(None, description="Interactions rated lower or not at all are dropped.")
    k_core: int = Field(0, ge=0, description="Fewest interactions of every user and item that has any; 0 drops none.")
    item_text: Literal["title", "title_and_category"] = Field(
        "title", description="What a language model reads of an item: its title, or also its leaf category."
    )
    timestamp_unit: Literal["auto", "s", "ms", "us", "ns"] = Field(
        "auto", description="Unit of numeric timestamps; auto tells it from their size."
    )
    max_rejected_share: float = Field(0.05, ge=0, le=1, description="Share of a table's rows that may be unusable.")
    memory_limit: str | None = Field(
        None, pattern=r"^\d+(\.\d+)? ?[KMGT]i?B$", description="Memory of the database, as in 4GB; null: no limit set."
    )

    @model_validator(mode="after")
    def _window_has_a_length(self) -> IngestionParameters:
        if self.samples == "sliding_window" and self.max_history == 0:
            raise ValueError("samples = sliding_window needs the length of the window: set max_history")
        return self
