"""The validation samples in two parts: one that selection comes near to, one that tuning is watched on.

A coreset is chosen to be near the validation samples. A loss measured on the same samples flatters it, and stopping
early by that loss would use them twice.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from coresift.storage import VALID

MULTIPLIER, MODULUS = 2_654_435_761, 2**32
"""Multiplicative hashing with the golden ratio (Knuth, The Art of Computer Programming 3, 6.4); it fits into int64."""


def is_for_tuning(sample_id: ArrayLike, tuning_share: float) -> NDArray[np.bool_]:
    """Which samples belong to the tuning part, by whole-number arithmetic on their ids.

    Args:
        sample_id: (N,) ids below 2**31.
        tuning_share: Share of the samples in the tuning part, 0 to 1.

    Returns:
        (N,) whether each sample is in the tuning part; the answer for an id depends on nothing else.
    """
    ids = np.asarray(sample_id, dtype=np.int64)
    return ids * MULTIPLIER % MODULUS < int(tuning_share * MODULUS)


def without_tuning_part(rows: pa.Table, tuning_share: float) -> pa.Table:
    """Return samples, or their prompts, without the validation samples of the tuning part.

    Args:
        rows: The table `samples` or `prompts`.
        tuning_share: Share of the validation samples in the tuning part; 0 leaves all of them to selection.

    Returns:
        What selection, and the scores it reads, may see.

    Raises:
        ValueError: If validation samples exist and none is left.
    """
    return _without(rows, tuning_share, is_tuning_part=True) if tuning_share else rows


def without_selection_part(rows: pa.Table, tuning_share: float) -> pa.Table:
    """Return samples, or their prompts, without the validation samples that selection uses.

    Args:
        rows: The table `samples` or `prompts`.
        tuning_share: Share of the validation samples in the tuning part; 0 means that tuning is watched on all of
            them, as selection uses all of them.

    Returns:
        What fine-tuning may see.

    Raises:
        ValueError: If validation samples exist and none is left.
    """
    return _without(rows, tuning_share, is_tuning_part=False) if tuning_share else rows


def _without(rows: pa.Table, tuning_share: float, *, is_tuning_part: bool) -> pa.Table:
    is_validation = rows["split"].to_numpy() == VALID
    dropped = is_validation & (is_for_tuning(rows["sample_id"], tuning_share) == is_tuning_part)
    if dropped.any() and dropped.sum() == is_validation.sum():
        reader, remedy = ("selection", "lower") if is_tuning_part else ("fine-tuning", "raise")
        count = is_validation.sum()
        raise ValueError(
            f"tuning_share {tuning_share} leaves {reader} none of {count} validation samples: {remedy} it."
        )
    return rows.filter(pa.array(~dropped))
