"""What the table of samples itself says about every training sample: history length and target popularity."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from coresift.ranking import list_lengths, list_rows

TRAIN = 0


def sample_traits(samples: pa.Table) -> tuple[NDArray[np.int64], dict[str, NDArray[np.float64]]]:
    """Traits that a random draw is stratified by.

    Args:
        samples: the table `samples`.

    Returns:
        (T,) ids of the training samples, and by name their (T,) traits: "history_length", the items of the history,
        and "target_popularity", how often the first target occurs in histories and targets of training samples.
    """
    train = samples.filter(pc.equal(samples["split"], TRAIN))
    rows, targets = list_rows(train["targets"])
    present, first = np.unique(rows, return_index=True)
    everything = np.concatenate([list_rows(train["history"])[1], targets])
    popularity = np.zeros(train.num_rows)
    popularity[present] = np.bincount(everything)[targets[first]] if len(everything) else 0.0
    lengths = list_lengths(train["history"]).astype(np.float64)
    return train["sample_id"].to_numpy().astype(np.int64), {
        "history_length": lengths,
        "target_popularity": popularity,
    }
