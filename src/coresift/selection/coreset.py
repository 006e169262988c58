"""The coreset: chosen by a method's name, as a table, and as records that fine-tuning tools read."""

from __future__ import annotations

import inspect
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from coresift.selection.candidate_pool import CandidatePool
from coresift.selection.selector import Selector, check_choice
from coresift.selection.selectors.registry import SELECTORS
from coresift.selection.state_covering import StateCoveringSelector
from coresift.storage import SCHEMAS

EXPORT_FORMATS = ("messages", "prompt_completion")


def coreset_table(pool: CandidatePool, selector: Selector, name: str) -> pa.Table:
    """Return the selected samples, ordered by id.

    Args:
        pool: The pool that the selector was fitted to.
        selector: A fitted selector.
        name: What the column `selector` says.

    Returns:
        A table with the schema of `coreset`; rank 0 was chosen first.
    """
    chosen = selector.selected_indices_
    return _table(pool, chosen, selector.weights_, selector.scores_[chosen], name)


def whole_pool_table(pool: CandidatePool) -> pa.Table:
    """Every candidate with weight 1, for training without selection.

    Args:
        pool: The candidates.

    Returns:
        A table with the schema of `coreset`, ranked by id and without scores.
    """
    everything = np.arange(len(pool))
    return _table(pool, everything, np.ones(len(pool)), np.full(len(pool), np.nan), "all")


def export_records(coreset: pa.Table, prompts: pa.Table, export_format: str = "messages") -> list[dict[str, Any]]:
    """Return the coreset's prompts and responses, best sample first.

    Args:
        coreset: The table `coreset`.
        prompts: The table `prompts`, which holds every sample of the coreset.
        export_format: "messages" (one user and one assistant message) or "prompt_completion".

    Returns:
        One record per sample, as TRL and LLaMA-Factory read them from JSON lines.

    Raises:
        ValueError: If the format is unknown or a sample has no prompt.
    """
    check_choice("export_format", export_format, EXPORT_FORMATS)
    joined = coreset.join(prompts.select(["sample_id", "prompt", "response"]), "sample_id").sort_by("rank")
    if joined["prompt"].null_count:
        raise ValueError(f"prompts lacks {joined['prompt'].null_count} samples of the coreset: run prompting again.")
    pairs = zip(joined["prompt"].to_pylist(), joined["response"].to_pylist(), strict=True)
    if export_format == "prompt_completion":
        return [{"prompt": prompt, "completion": response} for prompt, response in pairs]
    return [{"messages": [_message("user", prompt), _message("assistant", response)]} for prompt, response in pairs]


def _table(
    pool: CandidatePool, chosen: np.ndarray, weights: np.ndarray, scores: np.ndarray, name: str
) -> pa.Table:  # fmt: skip
    columns = [np.asarray(pool.sample_id)[chosen], np.arange(len(chosen)), weights, scores, [name] * len(chosen)]
    fields = SCHEMAS["coreset"]
    arrays = [pa.array(column).cast(field.type, safe=False) for column, field in zip(columns, fields, strict=True)]
    return pa.Table.from_arrays(arrays, schema=fields).sort_by("sample_id")


def _message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


ALL = "all"


@dataclass(frozen=True)
class Coreset:
    """A chosen coreset.

    Attributes:
        table: The table `coreset`.
        positions: (n,) positions in the pool.
        report: Figures for people.
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
        pool: The candidates.
        method: A key of `SELECTORS`, or "all" for every candidate with weight 1.
        budget: How many candidates to select; "all" ignores it.
        random_state: Seed of the selector's draws.
        device: Device of selectors that compute on one.
        state_clusters: Clusters of surrogate states that each get a part of the budget; 0 for none.
        options: Further parameters of the selector.

    Returns:
        The coreset with its report.

    Raises:
        ValueError: If the method is unknown, or as the selector raises.
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
