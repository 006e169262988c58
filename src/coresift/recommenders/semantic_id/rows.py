"""Histories and targets as sequences of semantic codes."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from coresift.ranking import list_lengths, list_rows
from coresift.recommenders.batches import Batch, SampleRows, integer_column
from coresift.recommenders.tokens import RaggedIntegers
from coresift.storage import table_of_items

PADDING, END = 0, 1
"""Tokens that are no code."""
FIRST_CODE = 2


class CodeVocabulary:
    """Tokens of semantic codes: every level has a range of its own.

    Args:
        semantic_ids: Table ``semantic_ids``, rows in any order.

    Attributes:
        tokens: (M, L) tokens of every item; row = item id.
        size: Number of tokens in all.

    Raises:
        ValueError: If the table is empty, lacks an item, or two items have the same codes.
    """

    def __init__(self, semantic_ids: pa.Table) -> None:
        if not len(semantic_ids):
            raise ValueError("semantic_ids is empty: run the foundation pipeline with recommender.name semantic_id")
        ordered = table_of_items(semantic_ids, dataset="semantic_ids")
        codes = np.stack(ordered["codes"].to_numpy(zero_copy_only=False)).astype(np.int64)
        if len(np.unique(codes, axis=0)) < len(codes):
            raise ValueError("semantic_ids: two items have the same codes; run the foundation pipeline again")
        sizes = codes.max(axis=0) + 1
        self.tokens = codes + FIRST_CODE + np.cumsum(sizes) - sizes
        self.size = int(FIRST_CODE + sizes.sum())

    @property
    def length(self) -> int:
        """Tokens of an item."""
        return self.tokens.shape[1]


class CodeRows(SampleRows):
    """The latest items of every history as codes, oldest first, with an end; and the target's codes.

    Args:
        prompts: Table ``prompts`` with a ``history`` column.
        vocabulary: Tokens of every item.
        history_length: Latest items that are read.
        weights: (N,) weight of every sample; 1 by default.

    Raises:
        ValueError: If there is no history column.
    """

    def __init__(
        self, prompts: pa.Table, vocabulary: CodeVocabulary, *, history_length: int, weights: Tensor | None = None
    ) -> None:
        if "history" not in prompts.column_names:
            raise ValueError("semantic_id reads histories, not prompts: append them with with_histories")
        super().__init__(prompts, _history_tokens(prompts["history"], vocabulary, history_length), weights=weights)
        self.targets = torch.from_numpy(vocabulary.tokens)[integer_column(prompts, "target_id")]

    def own_tensors(self, rows: Tensor) -> Batch:
        """Labels (B, L): the codes of the targets."""
        return {"labels": self.targets[rows]}


def _history_tokens(histories: pa.ChunkedArray, vocabulary: CodeVocabulary, longest: int) -> RaggedIntegers:
    rows, items = list_rows(histories)
    lengths = list_lengths(histories)
    from_the_end = np.cumsum(lengths)[rows] - 1 - np.arange(len(rows))
    kept = from_the_end < longest
    counts: NDArray[np.int64] = np.minimum(lengths, longest) * vocabulary.length
    ends = np.cumsum(counts + 1)
    values = np.full(int(ends[-1]) if len(ends) else 0, END, dtype=np.int64)
    is_code = np.ones(len(values), dtype=bool)
    is_code[ends - 1] = False
    values[is_code] = vocabulary.tokens[items[kept]].ravel()
    return RaggedIntegers(values, np.concatenate([[0], ends]), padding=PADDING)
