"""Parameters of the ingestion pipeline."""

from __future__ import annotations

import datetime as dt
import re

from pydantic import field_validator, model_validator

from coresift.corpus import CorpusOptions
from coresift.parameters import StrictParameters


class IngestionParameters(StrictParameters, CorpusOptions):
    """How raw tables become interactions, items, users and samples."""

    @field_validator("valid_from", "test_from", "from_time", "until_time")
    @classmethod
    def _is_a_moment(cls, text: str | None) -> str | None:
        if text is not None:
            dt.datetime.fromisoformat(text)
        return text

    @field_validator("memory_limit")
    @classmethod
    def _is_a_size(cls, text: str | None) -> str | None:
        if text is not None and not re.fullmatch(r"\d+(\.\d+)? ?[KMGT]i?B", text):
            raise ValueError("write a number and a unit, as in 4GB or 512 MiB")
        return text

    @model_validator(mode="after")
    def _options_fit_together(self) -> IngestionParameters:
        if self.samples == "sliding_window" and self.max_history == 0:
            raise ValueError("samples = sliding_window needs the length of the window: set max_history")
        if self.split == "temporal_cutoff" and (self.valid_from is None or self.test_from is None):
            raise ValueError("split = temporal_cutoff needs its moments: set valid_from and test_from")
        if self.negatives and self.samples != "click":
            raise ValueError("negatives belong to click samples: set samples = click, or negatives = 0")
        return self
