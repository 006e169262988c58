"""What a recommender is built from: data that is given, and the model that the registry loads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import torch
from peft import PeftModel
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from coresift.storage import table_of_items


@dataclass(frozen=True)
class Given:
    """What is known before a model is loaded.

    Attributes:
        base_model: Folder of the base model.
        items: Table ``items``; row = item id.
        dtype: Precision of the model's products.
        four_bits_on: Device on which the base model's weights are kept in four bits; None: they have ``dtype``.
        random_state: Seed of all that is drawn.
        item_counts: (M,) training interactions of every item, where they are known.
        semantic_ids: Table ``semantic_ids``, where it was made.
    """

    base_model: Path
    items: pa.Table
    dtype: torch.dtype
    random_state: int
    four_bits_on: torch.device | None = None
    item_counts: Tensor | None = None
    semantic_ids: pa.Table | None = None

    @property
    def item_texts(self) -> list[str]:
        """What a language model reads of every item."""
        return [text or "" for text in self.items["text"].to_pylist()]

    @property
    def item_titles(self) -> list[str]:
        """What every item is called."""
        return [title or "" for title in self.items["title"].to_pylist()]

    @property
    def known_semantic_ids(self) -> pa.Table:
        """The semantic ids; row = item id.

        Raises:
            ValueError: If they are not given, or not those of all items.
        """
        if self.semantic_ids is None or len(self.semantic_ids) != len(self.items):
            raise ValueError(
                "recommender semantic_id needs the codes of all items: run the foundation pipeline with "
                "recommender.name semantic_id"
            )
        return table_of_items(self.semantic_ids, dataset="semantic_ids", n_items=len(self.items))


@dataclass(frozen=True)
class Parts:
    """The parts of a recommender.

    Attributes:
        model: The base model as the recommender loads it, bare or tuned, where it computes.
        tokenizer: Its tokenizer.
        base_name: Hub id or fingerprint of the base model.
        given: The data.
    """

    model: PreTrainedModel | PeftModel
    tokenizer: PreTrainedTokenizerBase
    base_name: str
    given: Given
