"""What a user bought, as one vector: the items' own embeddings, the newest counting most."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from coresift.recommenders.tokens import RaggedIntegers


def with_history_vectors(
    queries: Tensor, histories: RaggedIntegers, items: Tensor, *, share: float, decay: float
) -> Tensor:
    """Mix into every query the vector of its history, and scale back to unit length.

    A prompt holds the latest items only; the vectors of all items of the history are at hand.

    Args:
        queries: (N, d) unit vectors.
        histories: N lists of item ids, oldest first; a query without history stays as it is.
        items: (M, d) unit vectors; row = item id.
        share: Of the history in the mixture, 0 to 1.
        decay: Weight of every item, relative to the next newer one.

    Returns:
        (N, d) unit vectors.
    """
    if not share or not len(histories.values):
        return queries
    history = nn.functional.normalize(_decayed_sums(histories, items, decay), dim=1)
    mixed = nn.functional.normalize((1 - share) * queries + share * history, dim=1)
    lengths = torch.from_numpy(histories.lengths).to(queries.device)
    return torch.where(lengths[:, None] > 0, mixed, queries)


def _decayed_sums(histories: RaggedIntegers, items: Tensor, decay: float) -> Tensor:
    """Return sums (N, d) of the items' vectors, each weighing ``decay`` to the power of the number of newer items."""
    ends = histories.offsets[1:]
    lengths = ends - histories.offsets[:-1]
    newer = torch.repeat_interleave(ends, lengths) - torch.arange(len(histories.values)) - 1
    flat, starts, weights = (
        tensor.to(items.device) for tensor in (histories.values, histories.offsets[:-1], decay ** newer.float())
    )
    return nn.functional.embedding_bag(flat, items, starts, mode="sum", per_sample_weights=weights.to(items.dtype))
