"""One number for every row of streamed costs."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import torch
from numpy.typing import NDArray


def row_values(
    blocks: Iterable[tuple[NDArray[np.int64], torch.Tensor]],
    n_rows: int,
    measure: Callable[[torch.Tensor], torch.Tensor],
) -> NDArray[np.float64]:
    """Measures the rows of a stream into one array.

    Small results kept between the blocks would split the heap, so that no block could take the place of the last one
    and memory would grow as if all blocks were held.

    Args:
        blocks: Positions of rows, which are not read, and their (b, V) costs.
        n_rows: How many rows the stream has.
        measure: From (b, V) costs, which it may overwrite, to (b,) numbers.

    Returns:
        (n_rows,) numbers in the order of the stream.
    """
    values, done = np.empty(n_rows), 0
    for _, block in blocks:
        values[done : done + len(block)] = measure(block).cpu().numpy()
        done += len(block)
    return values
