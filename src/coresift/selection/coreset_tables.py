"""The coreset as a table, and as records that fine-tuning tools read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from coresift.selection.candidate_pool import CandidatePool
from coresift.selection.selector import Selector, check_choice
from coresift.storage import SCHEMAS

EXPORT_FORMATS = ("messages", "prompt_completion")


def coreset_table(pool: CandidatePool, selector: Selector, name: str) -> pa.Table:
    """The selected samples, ordered by id.

    Args:
        pool: the pool that the selector was fitted to.
        selector: a fitted selector.
        name: what the column `selector` says.

    Returns:
        A table with the schema of `coreset`; rank 0 was chosen first.
    """
    chosen = selector.selected_indices_
    return _table(pool, chosen, selector.weights_, selector.scores_[chosen], name)


def whole_pool_table(pool: CandidatePool) -> pa.Table:
    """Every candidate with weight 1, for training without selection.

    Args:
        pool: the candidates.

    Returns:
        A table with the schema of `coreset`, ranked by id and without scores.
    """
    everything = np.arange(len(pool))
    return _table(pool, everything, np.ones(len(pool)), np.full(len(pool), np.nan), "all")


def export_records(coreset: pa.Table, prompts: pa.Table, export_format: str = "messages") -> list[dict[str, Any]]:
    """The coreset's prompts and responses, best sample first.

    Args:
        coreset: the table `coreset`.
        prompts: the table `prompts`, which holds every sample of the coreset.
        export_format: "messages" (one user and one assistant message) or "prompt_completion".

    Returns:
        One record per sample, as TRL and LLaMA-Factory read them from JSON lines.

    Raises:
        ValueError: if the format is unknown or a sample has no prompt.
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
