"""What every recommender offers, so that scoring, fine-tuning and evaluation know no model in particular."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol, TypeAlias, runtime_checkable

import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from coresift.personalization import RecLoraConfig, SampleStates

Batch: TypeAlias = dict[str, Tensor]
"""Tensors of B samples; ``input_ids`` and ``attention_mask`` are (B, T), ``weight`` is (B,)."""


@dataclass(frozen=True)
class AdapterOptions:
    """A LoRA adapter (Hu et al., arXiv 2106.09685).

    Attributes:
        r: Rank.
        alpha: The update is scaled by alpha / r.
        dropout: Dropout on the adapter's input while training.
        targets: Names of the Linear layers to adapt; None takes the query and value projections.
        use_rslora: Scale by alpha / sqrt(r) instead.
        use_dora: Decompose the weights into direction and magnitude.
        mixture: Mix several such adapters per user; rank, scale, dropout and targets are those given here.
    """

    r: int = 8
    alpha: int = 16
    dropout: float = 0.05
    targets: Sequence[str] | None = None
    use_rslora: bool = False
    use_dora: bool = False
    mixture: RecLoraConfig | None = None


class TrainingRows(Protocol):
    """Samples that a data loader can fetch batch by batch."""

    @property
    def lengths(self) -> NDArray:
        """Tokens of every sample (N,), for grouping by length."""

    def __len__(self) -> int:
        """Number of samples."""

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """The samples at ``indices`` as one padded batch."""


class Recommender(Protocol):
    """A language model that can be tuned to recommend."""

    name: ClassVar[str]
    model: nn.Module
    states: SampleStates | None

    @property
    def device(self) -> torch.device:
        """Where the model lives."""

    def rows(self, prompts: pa.Table, *, weights: Tensor | None = None) -> TrainingRows:
        """Samples ready for a data loader; an optional ``history`` column names items that are no negatives."""

    def batches(
        self,
        prompts: pa.Table,
        batch_size: int,
        *,
        shuffle: bool = False,
        weights: Tensor | None = None,
        random_state: int = 0,
    ) -> Iterable[Batch]:
        """Re-iterable batches on the model's device, in the order of the rows unless shuffled."""

    def training_loss(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:
        """Loss of every sample (B,) for a training step; it may couple samples and draw from ``generator``."""

    def sample_loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Loss of every sample (B,), each a function of its own sample only; for batches made by ``batches``."""

    def save(self, folder: Path) -> None:
        """Write the tuned adapter and what else the recommender needs into an existing folder."""

    def save_merged(self, folder: Path) -> None:
        """Write the base model with the adapter merged in, and its tokenizer, as an ordinary model folder."""


@runtime_checkable
class RankingRecommender(Recommender, Protocol):
    """A language model that ranks the catalogue for a prompt."""

    def rank(self, prompts: pa.Table, k: int, seen: pa.ListArray | None = None) -> tuple[Tensor, Tensor]:
        """The k best items of every prompt: ids (N, k) int64 and scores (N, k) float32; -1 pads short lists.

        Prompts bring a ``history`` column where the recommender ranks by it.
        """


@runtime_checkable
class ClickRecommender(Recommender, Protocol):
    """A language model that predicts whether a user will like the item a prompt asks about."""

    def click_probabilities(self, prompts: pa.Table) -> Tensor:
        """Probability (N,) float32 of a click for every prompt."""
