"""A history as two lists: what the user preferred, and what they did not."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from coresift.ranking.ragged import list_rows, lists_from_rows


def preference_lists(samples: pa.Table, positive_rating: float) -> tuple[pa.ListArray, pa.ListArray]:
    """Divide every history by its ratings, as click prompts name preference and unpreference (arXiv 2305.00447).

    Args:
        samples: Table of that contract; only ``history`` and ``history_ratings`` are read.
        positive_rating: Lowest rating of a preferred item; items without a rating are preferred.

    Returns:
        Preferred items and the others, each a list of int32 per sample, oldest first.
    """
    rows, items = list_rows(samples["history"])
    ratings = np.asarray(pc.fill_null(pc.list_flatten(samples["history_ratings"]), np.inf))
    preferred = ratings >= positive_rating
    n_samples = len(samples)
    return (
        lists_from_rows(rows[preferred], items[preferred], n_samples),
        lists_from_rows(rows[~preferred], items[~preferred], n_samples),
    )
