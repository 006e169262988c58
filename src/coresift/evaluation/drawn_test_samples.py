"""A random part of the test samples, for recommenders that are too slow to rank for all of them."""

from __future__ import annotations

import logging

import numpy as np
import pyarrow as pa

from coresift.storage import TEST

logger = logging.getLogger(__name__)


def draw_test_samples(samples: pa.Table, count: int, *, random_state: int = 0) -> pa.Table:
    """Leave at most ``count`` test samples in the table, drawn at random; the other splits stay whole.

    Equal tables, counts and seeds draw the same samples, so that every method is measured on the same ones.

    Args:
        samples: Table ``samples``.
        count: Test samples to leave; 0 leaves all.
        random_state: Seed of the draw.
    """
    tested = np.flatnonzero(np.asarray(samples["split"]) == TEST)
    if not count or len(tested) <= count:
        return samples
    logger.info("Evaluating on %d of %d test samples, drawn at random.", count, len(tested))
    kept = np.ones(len(samples), dtype=bool)
    kept[np.random.default_rng(random_state).permutation(tested)[count:]] = False
    return samples.filter(pa.array(kept))
