"""Parameters of the ingestion pipeline."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from coresift.parameters import StrictParameters


def _iso(text: str | None) -> str | None:
    """Return a time that can be read.

    Raises:
        ValueError: If it is not written as ISO 8601.
    """
    if text is not None:
        dt.datetime.fromisoformat(text)
    return text


Moment = Annotated[str | None, AfterValidator(_iso)]


class IngestionParameters(StrictParameters):
    """How raw tables become interactions, items, users and samples."""

    split: Literal["auto", "given", "global_time", "per_user_time", "leave_one_out", "temporal_cutoff"] = Field(
        "auto", description="How to split; auto takes the split that came with the data, else global time 8:1:1."
    )
    valid_from: Moment = Field(None, description="temporal_cutoff: ISO 8601 time (UTC) of the first validation.")
    test_from: Moment = Field(None, description="temporal_cutoff: ISO 8601 time (UTC) of the first test.")
    samples: Literal["last", "sliding_window", "all_prefixes", "click"] = Field(
        "last",
        description="Ranking with these targets in training: each user's last item, one per full window, or every "
        "item; or click: one sample per interaction in every split, with label 0 or 1.",
    )
    min_history: int = Field(1, ge=0, description="Shortest history of a training sample, in interactions.")
    max_history: int = Field(
        0,
        ge=0,
        description="Longest history of a training sample, and of every click sample; 0 keeps all, but "
        "of all_prefixes and click no more than the latest 1,000.",
    )
    positive_rating: float = Field(4.0, description="Clicks: lowest rating of label 1.")
    negatives: int = Field(
        0,
        ge=0,
        le=1000,
        description="Clicks: items the user has not met, added with label 0 per impression of label 1.",
    )
    min_rating: float | None = Field(None, description="Interactions rated lower or not at all are dropped.")
    from_time: Moment = Field(None, description="Interactions before this ISO 8601 time (UTC) are dropped.")
    until_time: Moment = Field(None, description="Interactions at or after this ISO 8601 time (UTC) are dropped.")
    k_core: int = Field(0, ge=0, description="Fewest interactions of every user and item that has any; 0 drops none.")
    item_text: Literal["title", "title_and_category"] = Field(
        "title", description="What a language model reads of an item: its title, or also its leaf category."
    )
    timestamp_unit: Literal["auto", "s", "ms", "us", "ns"] = Field(
        "auto", description="Unit of numeric timestamps; auto tells it from their size."
    )
    max_rejected_share: float = Field(0.05, ge=0, le=1, description="Share of a table's rows that may be unusable.")
    engine: Literal["duckdb", "spark"] = Field(
        "duckdb", description="Where to compute: duckdb inside this process, or spark, local or a cluster."
    )
    memory_limit: str | None = Field(
        None, pattern=r"^\d+(\.\d+)? ?[KMGT]i?B$", description="Memory of the engine, as in 4GB; null: no limit set."
    )
    spark: dict[str, str] = Field(
        {}, description="Settings of Spark by name, such as spark.master for a cluster; only for engine spark."
    )

    @model_validator(mode="after")
    def _options_fit_together(self) -> IngestionParameters:
        if self.samples == "sliding_window" and self.max_history == 0:
            raise ValueError("samples = sliding_window needs the length of the window: set max_history")
        if self.split == "temporal_cutoff" and (self.valid_from is None or self.test_from is None):
            raise ValueError("split = temporal_cutoff needs its moments: set valid_from and test_from")
        if self.negatives and self.samples != "click":
            raise ValueError("negatives belong to click samples: set samples = click, or negatives = 0")
        return self
