"""How figures are measured; the protocol itself is fixed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge
from typing_extensions import Doc


@dataclass(frozen=True)
class EvaluationOptions:
    """How figures are measured; the protocol itself is fixed."""

    test_samples: Annotated[
        int, Ge(0), Doc("Test samples that all methods are measured on, drawn at random; 0: all of them.")
    ] = 0
    n_resamples: Annotated[int, Ge(100), Doc("Bootstrap draws of users behind every interval.")] = 10_000
    prior_users: Annotated[
        int, Ge(0), Doc("Validation users that the recent-popularity prior is chosen on; 0: no rows with it.")
    ] = 4000
    prior_surrogate: Annotated[bool, Doc("Also rows with the surrogate's scores beside the prior.")] = False
    cold_below: Annotated[int, Ge(1), Doc("Items with fewer training interactions count as cold.")] = 5
    compare_with: Annotated[
        str | None,
        Doc("Data folder or user_metrics.parquet of another run that the report compares this one with."),
    ] = None
    knn_history_length: Annotated[int, Ge(1), Doc("Latest items of a user that item neighbors start from.")] = 10
