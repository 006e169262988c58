"""Parameters of the evaluation pipeline."""

from __future__ import annotations

from pydantic import Field

from coresift.parameters import StrictParameters


class EvaluationParameters(StrictParameters):
    """How figures are measured; the protocol itself is fixed."""

    test_samples: int = Field(
        0, ge=0, description="Test samples that all methods are measured on, drawn at random; 0: all of them."
    )
    n_resamples: int = Field(10_000, ge=100, description="Bootstrap draws of users behind every interval.")
    prior_users: int = Field(
        4000, ge=0, description="Validation users that the recent-popularity prior is chosen on; 0: no rows with it."
    )
    prior_surrogate: bool = Field(False, description="Also rows with the surrogate's scores beside the prior.")
    cold_below: int = Field(5, ge=1, description="Items with fewer training interactions count as cold.")
    compare_with: str | None = Field(
        None, description="Data folder or user_metrics.parquet of another run that the report compares this one with."
    )
    knn_history_length: int = Field(10, ge=1, description="Latest items of a user that item neighbours start from.")
