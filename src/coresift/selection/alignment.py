"""How well gradients point where the targets' gradients point."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from coresift.compute import in_common_unit, resolve_device
from coresift.selection.candidate_pool import CandidatePool
from coresift.selection.selector import check_choice
from coresift.transport import row_values

SUBTASKS = ("sample", "label")
CELLS_PER_BLOCK = 8_000_000


def unit_rows(rows: NDArray) -> NDArray:
    """Rows divided by their lengths, float32; a row of zeros stays one."""
    (rows,), _ = in_common_unit(rows)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)


def subtask_targets(pool: CandidatePool, validation: NDArray, subtasks: str) -> NDArray:
    """The gradient of every subtask of the validation samples.

    Args:
        pool: the candidates with the labels of the validation samples, where these are asked for.
        validation: (V, k) gradients of the validation samples.
        subtasks: "sample" (each validation sample for itself) or "label" (the mean of each class).

    Returns:
        (S, k) one row per subtask.

    Raises:
        ValueError: if the subtasks are neither.
        MissingInputError: if the labels are asked for and missing.
    """
    check_choice("subtasks", subtasks, SUBTASKS)
    if subtasks == "sample":
        return validation
    label = pool.require("validation_label")
    return np.stack([validation[label == one].mean(axis=0) for one in np.unique(label)])


def largest_alignment(rows: NDArray, targets: NDArray, *, device: str) -> NDArray[np.float64]:
    """The largest inner product of every row with a target, a block of rows at a time.

    Args:
        rows: (T, k).
        targets: (S, k).
        device: "auto", "cpu", "cuda" or "mps".

    Returns:
        (T,) alignments.
    """
    place = resolve_device(device)
    transposed = torch.as_tensor(targets, dtype=torch.float32, device=place).T
    features, positions = torch.as_tensor(rows, dtype=torch.float32), np.arange(len(rows))
    size = max(1, CELLS_PER_BLOCK // len(targets))
    chunks = [slice(start, start + size) for start in range(0, len(rows), size)]
    blocks = ((positions[chunk], features[chunk]) for chunk in chunks)
    return row_values(blocks, len(rows), lambda block: (block.to(place) @ transposed).amax(dim=1))
