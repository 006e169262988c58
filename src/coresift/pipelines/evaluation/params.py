"""Parameters of the evaluation pipeline."""

from __future__ import annotations

from pydantic import Field

from coresift.parameters import StrictParameters


class EvaluationParameters(StrictParameters):
    """How figures are measured; the protocol itself is fixed."""

    n_resamples: int = Field(10_000, ge=100, description="Bootstrap draws of users behind every interval.")
    knn_history_length: int = Field(10, ge=1, description="Latest items of a user that item neighbours start from.")
