"""Training sequences: one pass over a user's items supervises every position."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from torch import Tensor

from coresift.storage import TRAIN
from coresift.surrogate.sasrec import START


@dataclass(frozen=True)
class TrainingSequences:
    """Tokens and the items that follow them, flat, cut into pieces of at most `max_length`.

    Attributes:
        tokens: Input tokens; the first piece of a user opens with the start token.
        targets: The item that follows each token.
        starts: First position of every piece.
        lengths: Positions of every piece.
    """

    tokens: NDArray[np.int64]
    targets: NDArray[np.int64]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]

    def batches(self, tokens_per_batch: int, generator: np.random.Generator) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield (tokens, targets, mask), each (B, L), in random order; pieces of similar length share a batch."""
        order = np.lexsort([generator.random(len(self.lengths)), self.lengths])
        batch_of = np.cumsum(self.lengths[order]) // tokens_per_batch
        members = np.split(order, np.flatnonzero(np.diff(batch_of)) + 1)
        for index in generator.permutation(len(members)):
            yield self._padded(members[index])

    def _padded(self, pieces: NDArray[np.int64]) -> tuple[Tensor, Tensor, Tensor]:
        columns = np.arange(self.lengths[pieces].max())
        mask = columns < self.lengths[pieces][:, None]
        cells = np.where(mask, self.starts[pieces][:, None] + columns, 0)
        tokens = np.where(mask, self.tokens[cells], START)
        return torch.from_numpy(tokens), torch.from_numpy(self.targets[cells]), torch.from_numpy(mask)


def training_sequences(interactions: pa.Table, *, max_length: int) -> TrainingSequences:
    """Build the sequences of the training split.

    Args:
        interactions: Table with user_id, item_id, position and split.
        max_length: Longest piece; longer sequences continue in a further piece, so that no target is lost.

    Raises:
        ValueError: The training split is empty.
    """
    train = interactions.filter(pc.equal(interactions["split"], TRAIN)).sort_by(
        [("user_id", "ascending"), ("position", "ascending")]
    )
    if train.num_rows == 0:
        raise ValueError("interactions has no row of the training split: check the split settings of the ingestion.")
    users = np.asarray(train["user_id"], dtype=np.int64)
    targets = np.asarray(train["item_id"], dtype=np.int64)
    first = np.concatenate([[True], users[1:] != users[:-1]])
    tokens = np.where(first, START, np.roll(targets, 1) + 1)
    place = np.arange(len(users)) - np.flatnonzero(first)[np.cumsum(first) - 1]
    starts = np.flatnonzero(place % max_length == 0)
    return TrainingSequences(tokens, targets, starts, np.diff(np.append(starts, len(users))))
