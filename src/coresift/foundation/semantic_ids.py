"""Semantic ids: a few codes per item, learnt from its text, of which similar items share the first (TIGER)."""

from __future__ import annotations

import logging

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from coresift.foundation.options import SemanticIdOptions
from coresift.foundation.residual_quantizer import train_quantizer
from coresift.storage import SCHEMAS, rows_of_items

logger = logging.getLogger(__name__)

_SMALLEST_CODEBOOK, _LARGEST_CODEBOOK = 4, 256
_LARGEST_COUNT = 2**15
"""Numbers that a code of 16 bits counts with."""


def learn_semantic_ids(
    vectors: dict[str, Tensor],
    *,
    options: SemanticIdOptions = SemanticIdOptions(),  # noqa: B008 - frozen
    random_state: int = 0,
) -> pa.Table:
    """Learn the codes of every item from the vectors of item texts.

    Items that agree in all codes but the last take last codes of their own, as near to theirs as can be (in the manner
    of LC-Rec, arXiv 2311.09049): a code that merely counts items has to be learnt by heart. Where a group has more
    items than there are codes, one more code counts those that still agree, by their id from 0; a second one counts
    on where they are more than a code can number.

    Args:
        vectors: ``item_id`` (M,) and ``vector`` (M, d), as :func:`item_text_vectors` gives them, rows in any order.
        options: Shape and training of the quantizer.
        random_state: Seed.

    Returns:
        Table ``semantic_ids``: item_id, and codes of length levels + 1 (more for 32,768 alike), no two alike.

    Raises:
        ValueError: If there are fewer than two distinct vectors, or not one of each item.
    """
    data = rows_of_items(vectors, dataset="item_text_vectors").float()
    n_distinct = len(torch.unique(data, dim=0))
    if n_distinct < 2:
        raise ValueError("semantic ids need at least two different item texts: check the titles of the items")
    size = min(options.codebook_size or _codebook_size(len(data)), n_distinct)
    quantizer = train_quantizer(data, size, options, random_state=random_state)
    with torch.no_grad():
        nearest, residuals, _ = quantizer.quantize(quantizer.encoder(data))
        distances = torch.cdist(residuals[-1], quantizer.codebooks[-1])
    codes = with_spread_last_codes(nearest.numpy(), distances.numpy())
    collisions = _collision_codes(codes)
    _report(codes, collisions, size)
    complete = np.column_stack([codes, *_digits(collisions)]).astype(np.int16)
    columns = [np.arange(len(complete)), list(complete)]
    return pa.table(dict(zip(SCHEMAS["semantic_ids"].names, columns, strict=True)), schema=SCHEMAS["semantic_ids"])


def _codebook_size(n_items: int) -> int:
    return int(np.clip(2 ** round(np.log2(np.sqrt(n_items))), _SMALLEST_CODEBOOK, _LARGEST_CODEBOOK))


def with_spread_last_codes(codes: NDArray[np.int64], distances: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return codes (M, L) in which items of equal leading codes have different last ones, where there are enough.

    Args:
        codes: (M, L) nearest codes.
        distances: (M, C) of every item to every code of the last level; each group takes the cheapest assignment.
    """
    spread = codes.copy()
    for members in _groups_of_equal(codes[:, :-1]):
        if len(np.unique(codes[members, -1])) < len(members):
            rows, columns = linear_sum_assignment(distances[members])
            spread[members[rows], -1] = columns
    return spread


def _collision_codes(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many items before each one have the same codes (M,)."""
    collisions = np.empty(len(codes), dtype=np.int64)
    for members in _groups_of_equal(codes):
        collisions[members] = np.arange(len(members))
    return collisions


def _groups_of_equal(codes: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return the rows of every group of equal codes, in ascending order."""
    groups = np.unique(codes, axis=0, return_inverse=True)[1].ravel()
    order = np.argsort(groups, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)


def _digits(numbers: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return the digits (M,) of numbers, highest first, each of which a code can hold."""
    digits = [numbers % _LARGEST_COUNT]
    while (numbers := numbers // _LARGEST_COUNT).any():
        digits.insert(0, numbers % _LARGEST_COUNT)
    return digits


def _report(codes: NDArray[np.int64], collisions: NDArray[np.int64], size: int) -> None:
    used = [len(np.unique(level)) for level in codes.T]
    logger.info(
        "Semantic ids: %s of %d codes used per level; %d of %d items share their codes with one before them.",
        ", ".join(map(str, used)),
        size,
        int((collisions > 0).sum()),
        len(codes),
    )
