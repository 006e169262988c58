"""Token lists of unequal length held flat, and batches padded from them without Python loops."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from coresift.foundation import tokenize_whole
from coresift.ranking import list_rows


class RaggedIntegers:
    """N lists of integers as one flat array and offsets.

    Args:
        values: All integers, list after list.
        offsets: (N + 1,) where each list begins.
        padding: Integer that fills the cells behind a shorter list.
    """

    def __init__(self, values: NDArray[np.int64], offsets: NDArray[np.int64], *, padding: int) -> None:
        self.values = torch.from_numpy(values)
        self.offsets = torch.from_numpy(offsets)
        self.padding = padding

    @classmethod
    def from_arrow(
        cls, lists: pa.ListArray | pa.ChunkedArray, *, padding: int, lengths: NDArray[np.int64] | None = None
    ) -> RaggedIntegers:
        """Take Arrow lists, of which only the first ``lengths`` values are kept."""
        rows, values = list_rows(lists)
        full = np.bincount(rows, minlength=len(lists))
        kept = full if lengths is None else np.minimum(full, lengths)
        position = np.arange(len(rows)) - np.repeat(np.cumsum(full) - full, full)
        offsets = np.concatenate([[0], np.cumsum(kept)])
        return cls(values[position < np.repeat(kept, full)], offsets, padding=padding)

    @classmethod
    def from_texts(
        cls, texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, *, padding: int, max_tokens: int
    ) -> RaggedIntegers:
        """Tokenize texts once, within the tokens that the model wants around them, cut to ``max_tokens`` in all."""
        encoded = tokenize_whole(tokenizer, texts, longest=max_tokens)
        return cls.from_arrow(pa.array(encoded, pa.list_(pa.int64())), padding=padding)

    def __len__(self) -> int:
        """Return the number of lists."""
        return len(self.offsets) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Length of every list (N,)."""
        return np.diff(self.offsets.numpy())

    def padded(self, rows: Tensor, *, left: bool = False) -> tuple[Tensor, Tensor]:
        """Return the lists at ``rows`` (B,) as (B, T) integers, and the mask of real cells.

        Args:
            rows: Which lists.
            left: Pad in front of a shorter list, so that all end in the last column, instead of behind it.
        """
        starts = self.offsets[rows]
        lengths = self.offsets[rows + 1] - starts
        width = max(1, int(lengths.max()))
        places = torch.arange(width) - (width - lengths[:, None] if left else 0)
        mask = (places >= 0) & (places < lengths[:, None])
        cells = torch.where(mask, starts[:, None] + places, 0)
        filled = self.values[cells] if len(self.values) else torch.zeros_like(cells)
        return torch.where(mask, filled, self.padding), mask.long()


def prompt_tokens(prompts: pa.Table, *, padding: int) -> RaggedIntegers:
    """Return the tokens of every prompt without its response.

    Raises:
        ValueError: If a prompt has no token.
    """
    lengths = np.asarray(prompts["prompt_length"], dtype=np.int64)
    if len(lengths) and lengths.min() < 1:
        sample = prompts["sample_id"][int(lengths.argmin())].as_py()
        raise ValueError(f"prompts: sample {sample} has an empty prompt; add text to the template that renders it")
    return RaggedIntegers.from_arrow(prompts["input_ids"], padding=padding, lengths=lengths)


def with_histories(prompts: pa.Table, samples: pa.Table) -> pa.Table:
    """Append to every prompt the ``history`` of its sample, joined by ``sample_id``.

    Raises:
        ValueError: If a prompt's sample is missing.
    """
    positions = pc.index_in(prompts["sample_id"], value_set=samples["sample_id"])
    if positions.null_count:
        raise ValueError("prompts name samples that 'samples' does not hold: run the prompting pipeline again")
    return prompts.append_column("history", samples["history"].take(positions))
