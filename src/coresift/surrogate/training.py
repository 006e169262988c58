"""Training of the surrogate: shifted sequences, averaged weights, early stopping on validation NDCG@10, best kept."""

from __future__ import annotations

import copy
import logging
import math
import time
from dataclasses import dataclass, field
from typing import Generic, TypeVar, cast

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.optim.swa_utils import AveragedModel

from coresift.compute import progress_bar, resolve_device, resolve_dtype
from coresift.surrogate.item_text import settle_text, use_item_text
from coresift.surrogate.objectives import CatalogueLoss
from coresift.surrogate.options import SurrogateOptions
from coresift.surrogate.sample_scores import TrainingRecord
from coresift.surrogate.sasrec import SasRec, SasRecConfig
from coresift.surrogate.sequences import training_sequences
from coresift.surrogate.validation import Validation

Weights = tuple[Tensor, ...] | list[Tensor]


def running_mean(model: nn.Module, steps: float) -> AveragedModel:
    """Return a copy of a model that follows it: call `update_parameters(model)` after every step, read `module`.

    The first steps count alike, so that the starting weights are soon forgotten.

    Args:
        model: Whose parameters are averaged.
        steps: Over how many of the latest steps, roughly; with 1 or less the copy holds the latest weights.
    """

    @torch.no_grad()
    def move(means: Weights, latest: Weights, n_averaged: Tensor | int) -> None:
        share = max(1 / (int(n_averaged) + 1), 1 / max(steps, 1.0))
        torch._foreach_lerp_(means, latest, share)

    return AveragedModel(model, multi_avg_fn=move)


def product_dtype(name: str, device: torch.device) -> torch.dtype:
    """Return the type of matrix products in training.

    Args:
        name: "float32", "bfloat16", or "auto": bfloat16 on a device that computes in it, a CPU included.
        device: Where the surrogate trains.

    Raises:
        ValueError: The name is unknown.
    """
    if name == "auto" and device.type == "cpu":
        features = torch.cpu.get_capabilities()
        fast = features.get("avx512_bf16") or features.get("amx_bf16")
        return torch.bfloat16 if fast else torch.float32
    return resolve_dtype(name, device)


logger = logging.getLogger(__name__)

SLOW_EPOCH = 10.0
"""Seconds from which on an epoch is worth a line in the log."""


ModelT_co = TypeVar("ModelT_co", bound=nn.Module, covariant=True)


@dataclass(frozen=True)
class TrainedSurrogate(Generic[ModelT_co]):
    """A trained surrogate.

    Attributes:
        model: With its best weights, on the CPU.
        metrics: How training went, JSON-ready.
        sample_scores: What training saw of every training sample.
        epoch_seconds: Processor time of every epoch's training, all threads together, validation not included.
    """

    model: ModelT_co
    metrics: dict[str, object] = field(repr=False)
    sample_scores: pa.Table = field(repr=False)
    epoch_seconds: list[float] = field(repr=False)


def train_surrogate(
    interactions: pa.Table,
    samples: pa.Table,
    n_items: int,
    *,
    item_text_vectors: Tensor | None = None,
    random_state: int = 0,
    device: str = "cpu",
    **options: object,
) -> TrainedSurrogate[SasRec]:
    """Train SASRec on the training split and keep the averaged weights with the best validation NDCG@10.

    Args:
        interactions: Table `interactions`; only rows of the training split are learned from.
        samples: Table `samples`; validation rows stop training, training rows are scored.
        n_items: Catalogue size M.
        item_text_vectors: (M, d'), read if the option `item_text` asks for them.
        random_state: Seed of weights, order, dropout and sampled items.
        device: "auto", "cpu", "cuda" or "mps".
        options: Fields of `SurrogateOptions`.

    Returns:
        The model on the CPU with its best weights, metrics, and the table `sample_scores`.

    Raises:
        ValueError: The training or validation split is empty, or text vectors are asked for and do not fit.
    """
    settings = SurrogateOptions(**options)  # type: ignore[arg-type]
    with torch.random.fork_rng():
        torch.manual_seed(random_state)
        place = resolve_device(device)
        training = _Training(
            interactions,
            samples,
            settings,
            n_items=n_items,
            item_text_vectors=item_text_vectors,
            random_state=random_state,
            device=place,
        )
        return training.run()


class _Training:
    """The state of one training: model, its running mean, optimizer, data, and what stops it."""

    def __init__(
        self,
        interactions: pa.Table,
        samples: pa.Table,
        options: SurrogateOptions,
        *,
        n_items: int,
        item_text_vectors: Tensor | None,
        random_state: int,
        device: torch.device,
    ) -> None:
        self.options = options
        self.device = device
        self.dtype = product_dtype(options.dtype, device)
        self.order = np.random.default_rng(random_state)
        self.sequences = training_sequences(interactions, max_length=options.max_length)
        self.record = TrainingRecord(samples)
        self.validation = Validation(samples, options.validation_users, random_state)
        counts = np.bincount(self.sequences.targets, minlength=n_items)
        generator = torch.Generator().manual_seed(random_state)
        self.model = SasRec(SasRecConfig.of(n_items, options))
        self.model.initialize(generator)
        use_item_text(
            self.model, options.item_text, item_text_vectors, known=torch.from_numpy(counts > 0), generator=generator
        )
        self.model.to(device)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay
        )
        steps = options.averaged_epochs * len(self.sequences.targets) / options.tokens_per_batch
        self.average = running_mean(self.model, steps)
        self.averaged = cast(SasRec, self.average.module)
        negatives = None if options.compares_in_full(n_items) else options.negatives
        self.loss = CatalogueLoss(counts, negatives=negatives, random_state=random_state)

    def run(self) -> TrainedSurrogate[SasRec]:
        """Train until validation no longer improves, and return the best epoch's weights."""
        history: list[dict[str, float]] = []
        best_epoch, best_ndcg = 0, -math.inf
        best_weights: dict[str, Tensor] = {}
        epoch_seconds: list[float] = []
        for epoch in range(1, self.options.epochs + 1):
            started, processor_started = time.perf_counter(), time.process_time()
            loss = self._epoch(epoch)
            epoch_seconds.append(time.process_time() - processor_started)
            with parametrize.cached():
                ndcg, recall = self.validation.measure(self.averaged)
                improved = ndcg > best_ndcg
                self.record.after_epoch(self.averaged)
            if improved:
                best_epoch, best_ndcg, best_weights = epoch, ndcg, copy.deepcopy(self.averaged.state_dict())
            history.append({"epoch": epoch, "loss": loss, "ndcg@10": ndcg, "recall@10": recall})
            seconds = time.perf_counter() - started
            level = logging.INFO if seconds > SLOW_EPOCH else logging.DEBUG
            logger.log(level, "Surrogate epoch %d: loss %.3f, validation NDCG@10 %.4f", epoch, loss, ndcg)
            if epoch - best_epoch >= self.options.patience:
                break
        self.model.load_state_dict(best_weights)
        settle_text(self.model)
        self.model.cpu().eval()
        logger.info("Surrogate kept from epoch %d: validation NDCG@10 %.4f.", best_epoch, best_ndcg)
        scores = self.record.table(self.model)
        return TrainedSurrogate(self.model, self._metrics(best_epoch, history), scores, epoch_seconds)

    def _epoch(self, epoch: int) -> float:
        self.model.train()
        total, n_positions = torch.zeros((), device=self.device), 0
        batches = list(self.sequences.batches(self.options.tokens_per_batch, self.order))
        for tokens, targets, mask in progress_bar(batches, description=f"surrogate epoch {epoch}"):
            loss = self._step(tokens.to(self.device), targets.to(self.device), mask.to(self.device))
            total += loss * int(mask.sum())
            n_positions += int(mask.sum())
        return float(total) / n_positions

    def _step(self, tokens: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
        lower = self.dtype != torch.float32
        with parametrize.cached(), torch.autocast(self.device.type, self.dtype, enabled=lower):
            states = self.model(tokens)[mask].to(self.dtype)
            loss = self.loss(states, self.model.item_vectors.to(self.dtype), targets[mask]).float()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.average.update_parameters(self.model)
        return loss.detach()

    def _metrics(self, best_epoch: int, history: list[dict[str, float]]) -> dict[str, object]:
        best = history[best_epoch - 1]
        return {
            "model": self.model.kind,
            "best_epoch": best_epoch,
            "validation": {"ndcg@10": best["ndcg@10"], "recall@10": best["recall@10"]},
            "validation_users": len(self.validation.targets),
            "parameters": sum(parameter.numel() for parameter in self.model.parameters()),
            "training_positions": len(self.sequences.targets),
            "epochs": history,
        }
