"""What every recommender offers, so that attribution, fine-tuning and evaluation know no model in particular.

What all share is here too: where the language model lives, how it computes, how it is saved.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import ClassVar, Generic, Self, TypeAlias

import pyarrow as pa
import torch
from peft import PeftModel, TaskType
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from coresift.foundation import base_model_name, load_body
from coresift.personalization import RecLoraModel, SampleStates, bind_states
from coresift.ranking import Lists
from coresift.recommenders.adapters import attach_adapter, load_adapter, merged_model, save_adapter
from coresift.recommenders.batches import Batch, RowBatches, TrainingRows, groups_of
from coresift.recommenders.inputs import LoadedModel, Options, RecommenderInputs
from coresift.recommenders.options import AdapterOptions, RecommenderOptions

ScoreBlock: TypeAlias = Callable[[slice], Tensor]
"""Maps a slice of the prompts to their logits (b, M); item id = column."""


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put a model in evaluation mode and restore its mode afterwards."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


FACTS_FILE = "recommender.json"
"""What an adapter was trained for: name, base model and the options that must not change afterwards."""


class Recommender(ABC, Generic[Options]):
    """A language model that can be tuned to recommend, its tokenizer, and how both are kept.

    One that ranks items has ``rank`` and, where it scores every item, ``item_logits``; one that predicts clicks has
    ``click_probabilities``.

    Args:
        model: The model, bare or with an adapter.
        tokenizer: Its tokenizer.
        base_name: Hub id or fingerprint of the base model.
        options: Those of the recommender.
        dtype: Precision of the model's products; losses stay float32.

    Attributes:
        states: The surrogate's states, which a personalized model reads; None mixes evenly for all users.
    """

    declared: ClassVar[type[RecommenderOptions]]
    """What declares the options."""
    scores_items: ClassVar[bool] = False
    """Whether ``item_logits`` scores every item, so that other terms can be added to the scores."""
    bound_options: ClassVar[tuple[str, ...]] = ()
    """Options that an adapter was trained for and that must not change afterwards."""

    def __init__(
        self,
        model: PreTrainedModel | PeftModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        base_name: str,
        options: Options,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.base_name = base_name
        self.options = options
        self.dtype = dtype
        self.padding = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
        self.states: SampleStates | None = None

    @classmethod
    def name_base(cls, inputs: RecommenderInputs[Options]) -> str:
        """Return the hub id of the base model, or the fingerprint of one that lies in a local folder."""
        return base_model_name(inputs.base_model)

    @classmethod
    def load_base(cls, inputs: RecommenderInputs[Options]) -> PreTrainedModel:
        """Load the base model in the form that this recommender takes: the body, without a head."""
        return load_body(inputs.base_model, dtype=inputs.precision, four_bits_on=inputs.four_bits_on)

    @classmethod
    def task_of(cls, base: PreTrainedModel) -> TaskType:
        """Return what peft shall call the model's task."""
        return TaskType.FEATURE_EXTRACTION

    @classmethod
    def make_tunable(
        cls, base: PreTrainedModel, adapter: AdapterOptions, inputs: RecommenderInputs[Options], *, probe: bool
    ) -> PreTrainedModel | PeftModel:
        """Add a fresh adapter.

        Args:
            base: The base model, changed in place.
            adapter: Options of the adapter.
            inputs: What the recommender is built from.
            probe: Only gradients are measured, which takes an adapter even where training moves all weights.
        """
        return attach_adapter(base, adapter, random_state=inputs.random_state, task_type=cls.task_of(base))

    @classmethod
    def load_tuned(cls, base: PreTrainedModel, folder: Path) -> PreTrainedModel | PeftModel:
        """Put what was tuned on the base model."""
        return load_adapter(base, folder)

    @classmethod
    @abstractmethod
    def from_inputs(cls, inputs: RecommenderInputs[Options], loaded: LoadedModel) -> Self:
        """Build the recommender around the model that was loaded for it."""

    @property
    def name(self) -> str:
        """What ``recommender.name`` calls the recommender."""
        return self.options.name

    @property
    def predicts_clicks(self) -> bool:
        """Whether it answers impressions (``click_probabilities``) instead of ranking the catalogue (``rank``)."""
        return self.options.predicts_clicks

    @property
    def device(self) -> torch.device:
        """Where the model lives."""
        return next(self.model.parameters()).device

    def bind_samples(self, sample_id: Tensor | None) -> AbstractContextManager[None]:
        """Say whose samples (B,) the model reads within a block; None for text that belongs to no user.

        Every reading of a prompt stands in such a block, in losses too. A model that is not personalized ignores it.
        """
        if not isinstance(self.model, RecLoraModel):
            return nullcontext()
        if self.states is None or sample_id is None:
            return bind_states(self.model, None)
        return bind_states(self.model, self.states.of(sample_id))

    @abstractmethod
    def rows(self, prompts: pa.Table, *, weights: Tensor | None = None) -> TrainingRows:
        """Return samples ready for a data loader; a ``history`` column names items that are no negatives."""

    def batches(
        self,
        prompts: pa.Table,
        batch_size: int,
        *,
        shuffle: bool = False,
        weights: Tensor | None = None,
        random_state: int = 0,
    ) -> RowBatches:
        """Return re-iterable batches on the model's device, in the order of the rows unless shuffled."""
        rows = self.rows(prompts, weights=weights)
        groups = groups_of(rows, batch_size, shuffle=shuffle, random_state=random_state)
        return RowBatches(rows, groups, device=self.device, shared=self.shared_tensors)

    @abstractmethod
    def sample_loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Return the loss of every sample (B,), a function of that sample only; for batches made by ``batches``."""

    def training_loss(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return the loss of every sample (B,) for a training step.

        It may couple samples and draw from ``generator``; here it is that of the samples alone, with nothing drawn.
        """
        return self.sample_loss(model, batch)

    def rank(self, prompts: pa.Table, k: int, seen: Lists | None = None) -> tuple[Tensor, Tensor]:
        """Return the k best items of every prompt: ids (N, k) int64, best first, and scores (N, k) float32.

        Lists that are shorter than asked for end in -1 with a score of minus infinity.

        Args:
            prompts: N prompts, with a ``history`` column where the recommender ranks by it.
            k: Length of every list.
            seen: Per prompt the items that must not appear.

        Raises:
            ValueError: If the recommender predicts clicks.
        """
        raise ValueError(f"recommender {self.name} predicts clicks and ranks nothing: run it on click samples.")

    def item_logits(self, prompts: pa.Table) -> ScoreBlock:
        """Return what maps a slice of the prompts, as for ``rank``, to logits: similarity divided by temperature.

        Raises:
            ValueError: If the recommender has no score for every item.
        """
        raise ValueError(f"recommender {self.name} has no score for every item: use rank.")

    def click_probabilities(self, prompts: pa.Table) -> Tensor:
        """Return the probability (N,) float32 that the user of each prompt likes the item it asks about.

        Raises:
            ValueError: If the recommender ranks items.
        """
        raise ValueError(f"recommender {self.name} ranks items and predicts no clicks: use rank.")

    def shared_tensors(self) -> Batch:
        """Return tensors that every batch gets beside its own, made anew for each pass over the batches."""
        return {}

    def facts(self) -> dict[str, object]:
        """Return what is kept of the options that an adapter is trained for."""
        return {}

    def save(self, folder: Path) -> None:
        """Write the adapter as peft does, and ``recommender.json`` with what it takes to use it.

        Raises:
            ValueError: If the model bears no adapter.
        """
        save_adapter(self._adapted(), folder, base_name=self.base_name)
        self._save_facts(folder)

    def save_merged(self, folder: Path) -> None:
        """Write the base model with the adapter merged in, and its tokenizer, as an ordinary model folder."""
        merged_model(self._adapted()).save_pretrained(str(folder))
        self.tokenizer.save_pretrained(str(folder))

    def _save_facts(self, folder: Path) -> None:
        facts = {"name": self.name, "base_model": self.base_name, **self.facts()}
        (folder / FACTS_FILE).write_text(json.dumps(facts, indent=2, sort_keys=True) + "\n", encoding="utf-8")

    def _adapted(self) -> PeftModel:
        if not isinstance(self.model, PeftModel):
            raise ValueError("the recommender bears no adapter to save: build it with adapter options")
        return self.model

    def _precision(self) -> AbstractContextManager[None]:
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.dtype is torch.bfloat16)
