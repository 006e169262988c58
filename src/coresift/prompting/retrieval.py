"""The items of a long history that bear on a candidate: the short half of the Long-Short Modality Retriever.

A language model reads few items. Of a click sample it can read those most like the item in question, put back in time
order (ReLLa, arXiv 2308.11131; RecLoRA, arXiv 2408.03533); the long history stays with the surrogate, as ids.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from torch import Tensor

from coresift.ranking import list_rows

PAIRS_AT_ONCE = 1_000_000


def similar_histories(samples: pa.Table, item_vectors: Tensor, *, longest: int) -> pa.Table:
    """Return samples whose histories keep the items most like their candidate, still oldest first.

    Nothing but the sample's own history, which ends before its candidate, is searched. Of items equally alike the
    newer one stays.

    Args:
        samples: Table ``samples``; the candidate is the first target.
        item_vectors: (M, d) vectors of the items' texts; row = item id. Their length does not matter.
        longest: Items kept of each history.
    """
    rows, item = list_rows(samples["history"])
    candidate = np.asarray(pc.list_element(samples["targets"], 0), dtype=np.int64)
    likeness = _cosines(item_vectors, item, candidate[rows])
    newest_first = np.lexsort((-np.arange(len(rows)), -likeness, rows))
    starts = np.searchsorted(rows, np.arange(len(samples)))
    kept = np.sort(newest_first[np.arange(len(rows)) - starts[rows] < longest])
    return _with_histories(samples, rows[kept], kept)


def _cosines(vectors: Tensor, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the cosine of every pair of items (P,), a block of pairs at a time; 0 where a vector is 0."""
    unit = torch.nn.functional.normalize(vectors.float(), dim=1)
    blocks = range(0, len(first), PAIRS_AT_ONCE)
    pairs = [(first[start : start + PAIRS_AT_ONCE], second[start : start + PAIRS_AT_ONCE]) for start in blocks]
    parts = [(unit[torch.from_numpy(a)] * unit[torch.from_numpy(b)]).sum(1).numpy() for a, b in pairs]
    return np.concatenate([np.empty(0, np.float32), *parts])


def _with_histories(samples: pa.Table, rows: NDArray[np.int64], kept: NDArray[np.int64]) -> pa.Table:
    """Return samples whose two history columns hold only the values at positions ``kept``, which lie in ``rows``."""
    offsets = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(samples)))]).astype(np.int32)
    for name in ("history", "history_ratings"):
        values = pc.list_flatten(samples[name]).combine_chunks().take(pa.array(kept))
        lists = pa.ListArray.from_arrays(pa.array(offsets), values)
        samples = samples.set_column(samples.column_names.index(name), name, lists)
    return samples
