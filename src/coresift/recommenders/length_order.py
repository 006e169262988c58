"""Rows in batches of similar length, longest first, where no gradient is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from coresift.compute import in_shrinking_batches, progress_bar

Result = TypeVar("Result")


def in_length_order(
    lengths: NDArray[np.int64], batch_size: int, function: Callable[[Tensor], Result], *, description: str
) -> Iterator[tuple[Tensor, Result]]:
    """Yield ``(places, function(places))`` for batches that cover all rows, longest rows first.

    Little is computed on padding, the largest batch comes first, and a batch that does not fit is halved.

    Args:
        lengths: (N,) tokens of every row.
        batch_size: Rows of the first batch.
        function: Called with the places (B,) of the rows of a batch, without gradients.
        description: A few words for the progress bar.
    """
    order = torch.from_numpy(np.argsort(-lengths, kind="stable"))

    def apply(block: slice) -> Result:
        with torch.no_grad():
            return function(order[block])

    blocks = in_shrinking_batches(apply, len(order), batch_size)
    for block, result in progress_bar(blocks, description=description, total=-(-len(order) // batch_size)):
        yield order[block], result
