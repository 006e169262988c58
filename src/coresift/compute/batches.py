"""Run a function over rows in batches, halving a batch that does not fit in memory."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import TypeVar

import torch

logger = logging.getLogger(__name__)

Result = TypeVar("Result")


def in_shrinking_batches(
    function: Callable[[slice], Result], n_rows: int, batch_size: int
) -> Iterator[tuple[slice, Result]]:
    """Yield ``(rows, function(rows))`` for consecutive slices that cover ``range(n_rows)``.

    A batch that runs out of device memory is halved, and so are all later ones; the log says so.

    Args:
        function: Called with a slice of rows.
        n_rows: Number of rows in all.
        batch_size: Rows of the first batch.

    Raises:
        torch.OutOfMemoryError: If a single row does not fit.
    """
    start = 0
    while start < n_rows:
        rows = slice(start, min(start + batch_size, n_rows))
        try:
            result = function(rows)
        except torch.OutOfMemoryError:
            if batch_size == 1:
                raise
            batch_size = (rows.stop - rows.start + 1) // 2
            torch.cuda.empty_cache()
            logger.warning("A batch did not fit in memory; continuing with %d rows a batch.", batch_size)
            continue
        yield rows, result
        start = rows.stop
