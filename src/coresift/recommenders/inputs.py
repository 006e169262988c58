"""What recommenders are built from: their options, the data that is given, and the model that was loaded."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Generic, TypeVar

import pyarrow as pa
import torch
from peft import PeftModel
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from coresift.compute import FOUR_BITS, compute_facts, resolve_device, resolve_dtype
from coresift.foundation import base_model_fingerprint
from coresift.recommenders.options import RecommenderOptions
from coresift.storage import table_of_items

Options = TypeVar("Options", bound=RecommenderOptions)


@dataclass(frozen=True)
class RecommenderInputs(Generic[Options]):
    """All that a recommender is a function of, but for its adapter; untuned, tuned and probed ones share it.

    Attributes:
        options: Those of the recommender; they tell which one it is.
        base_model: Folder of the base model as the foundation stage writes it.
        items: Table ``items``; row = item id.
        semantic_ids: Table ``semantic_ids``, where it was made.
        item_counts: (M,) training interactions of every item, where they are known.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        dtype: ``auto``, ``float32``, ``bfloat16``, or ``nf4`` for a base model in four bits (bitsandbytes).
        random_state: Seed of all that is drawn.

    Raises:
        ValueError: If items are not in the order of their ids.
    """

    options: Options
    base_model: Path
    items: pa.Table
    semantic_ids: pa.Table | None = None
    item_counts: Tensor | None = None
    device: str = "auto"
    dtype: str = "float32"
    random_state: int = 0

    def __post_init__(self) -> None:
        if self.items["item_id"].to_pylist() != list(range(len(self.items))):
            raise ValueError("items: item_id must run from 0 without gaps; run the ingestion pipeline again")

    @property
    def place(self) -> torch.device:
        """Where the model computes."""
        return resolve_device(self.device)

    @property
    def precision(self) -> torch.dtype:
        """Precision of the model's products."""
        return resolve_dtype(self.dtype, self.place)

    @property
    def four_bits_on(self) -> torch.device | None:
        """Device on which the base model's weights are kept in four bits; None: they have the precision."""
        return self.place if self.dtype == FOUR_BITS else None

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

    def made_of(self) -> list[object]:
        """Return what results depend on, the number of threads included, for the fingerprint of a work folder."""
        compute = compute_facts(self.device, self.dtype, torch.get_num_threads())
        settings = [self.options.name, asdict(self.options), self.random_state, *compute]
        return [base_model_fingerprint(self.base_model), self.items, self.semantic_ids, self.item_counts, *settings]


@dataclass(frozen=True)
class LoadedModel:
    """A language model where it computes, and its tokenizer.

    Attributes:
        model: The base model as the recommender loads it, bare or tuned.
        tokenizer: Its tokenizer.
        base_name: Hub id or fingerprint of the base model.
    """

    model: PreTrainedModel | PeftModel
    tokenizer: PreTrainedTokenizerBase
    base_name: str
