"""Samples as batches and their losses: what influence scores need of the surrogate."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from coresift.ranking import list_lengths, padded_lists
from coresift.surrogate.objectives import reference_losses
from coresift.surrogate.sasrec import SasRec
from coresift.surrogate.training_record import first_targets


class SurrogateBatches:
    """Batches of samples in their order, as often as one asks for them."""

    def __init__(self, samples: pa.Table, batch_size: int) -> None:
        self.samples = samples
        self.batch_size = batch_size
        self.targets = first_targets(samples)

    def __len__(self) -> int:
        """Number of batches."""
        return math.ceil(self.samples.num_rows / self.batch_size)

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        """Yield {"sample_id" (B,), "history" (B, L) padded on the left with -1, "target" (B,)}."""
        for start in range(0, self.samples.num_rows, self.batch_size):
            rows = self.samples.slice(start, self.batch_size)
            width = max(1, int(list_lengths(rows["history"]).max()))
            yield {
                "sample_id": torch.from_numpy(np.array(rows["sample_id"], dtype=np.int64)),
                "history": torch.from_numpy(padded_lists(rows["history"], width, padding=-1)),
                "target": self.targets[start : start + self.batch_size],
            }


def surrogate_batches(samples: pa.Table, batch_size: int = 256, split: int = 0) -> SurrogateBatches:
    """Return the samples of one split as batches that can be iterated again and again.

    Args:
        samples: table `samples`.
        batch_size: samples per batch.
        split: 0 train, 1 valid, 2 test.
    """
    return SurrogateBatches(samples.filter(pc.equal(samples["split"], split)), batch_size)


def sample_losses(model: SasRec, batch: dict[str, Tensor]) -> Tensor:
    """Return the loss (B,) of every sample: cross-entropy of its first target after its history.

    Catalogues of at most `REFERENCE_ITEMS` items are compared with in full, larger ones through a fixed draw that is
    the same in every call. No term couples samples, and every operation is differentiable twice if attention runs
    on its plain implementation (``torch.nn.attention.sdpa_kernel(SDPBackend.MATH)``).

    Args:
        model: the surrogate.
        batch: as `surrogate_batches` yields it.
    """
    device = model.device
    return reference_losses(model.states(batch["history"].to(device)), model.item_vectors, batch["target"].to(device))
