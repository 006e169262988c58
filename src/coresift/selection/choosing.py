"""From a method's name to a finished coreset."""

from __future__ import annotations

import inspect
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from coresift.selection.candidate_pool import CandidatePool
from coresift.selection.coreset_tables import coreset_table, whole_pool_table
from coresift.selection.selector import Selector
from coresift.selection.selectors.registry import SELECTORS
from coresift.selection.state_covering import StateCoveringSelector

ALL = "all"


@dataclass(frozen=True)
class Coreset:
    """A chosen coreset.

    Attributes:
        table: the table `coreset`.
        positions: (n,) positions in the pool.
        report: figures for people.
    """

    table: pa.Table
    positions: NDArray[np.int64]
    report: dict[str, Any]


def choose(
    pool: CandidatePool,
    method: str,
    /,
    *,
    budget: int,
    random_state: int = 0,
    device: str = "auto",
    state_clusters: int = 0,
    **options: Any,  # noqa: ANN401
) -> Coreset:
    """Fits the selector of a name to a pool.

    Args:
        pool: the candidates.
        method: a key of `SELECTORS`, or "all" for every candidate with weight 1.
        budget: how many candidates to select; "all" ignores it.
        random_state: seed of the selector's draws.
        device: device of selectors that compute on one.
        state_clusters: clusters of surrogate states that each get a part of the budget; 0 for none.
        options: further parameters of the selector.

    Returns:
        The coreset with its report.

    Raises:
        ValueError: if the method is unknown, or as the selector raises.
    """
    if method == ALL:
        report = {"method": ALL, "candidates": len(pool), "selected": len(pool)}
        return Coreset(whole_pool_table(pool), np.arange(len(pool)), report)
    if method not in SELECTORS:
        raise ValueError(f"unknown selection.method '{method}': choose one of {', '.join([*SELECTORS, ALL])}.")
    started = time.perf_counter()
    shared = {"random_state": random_state, "device": device}
    known = inspect.signature(SELECTORS[method]).parameters
    accepted = {name: value for name, value in shared.items() if name in known}
    selector: Selector = SELECTORS[method](budget=budget, **accepted, **options)
    if state_clusters:
        selector = StateCoveringSelector(selector, budget, n_clusters=state_clusters, random_state=random_state)
    selector.fit(pool)
    seconds = {"seconds": round(time.perf_counter() - started, 3)}
    report = {"method": method, "options": options} | selector.diagnostics_ | seconds
    return Coreset(coreset_table(pool, selector, method), selector.selected_indices_, report)
