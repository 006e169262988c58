"""Samples as batches and their losses: what influence scores need of the surrogate."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import fields

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
import torch.nn.functional as F
from torch import Tensor

from coresift.ranking import list_lengths, padded_lists
from coresift.storage import TRAIN
from coresift.surrogate.din import ClickFeatures, Din, DinConfig, click_features
from coresift.surrogate.objectives import reference_losses
from coresift.surrogate.sample_scores import first_targets
from coresift.surrogate.stored_surrogate import Surrogate

SCORED = ("last", "sequence", "released")
FEATURES = tuple(field.name for field in fields(ClickFeatures))


class SurrogateBatches:
    """Batches of samples in their order, as often as one asks for them."""

    def __init__(self, samples: pa.Table, batch_size: int, scored: str, longest: int | None = None) -> None:
        self.samples = samples
        self.batch_size = batch_size
        self.scored = scored
        self.longest = longest
        self.targets = first_targets(samples)

    def __len__(self) -> int:
        """Return the number of batches."""
        return math.ceil(self.samples.num_rows / self.batch_size)

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        """Yield {"sample_id" (B,), "history" (B, L) padded on the left with -1, "target"}.

        "target" is (B,) where only the sample's own target is scored; else (B, L), what follows each item of the
        history, -1 in front of it.
        """
        for start in range(0, self.samples.num_rows, self.batch_size):
            rows = self.samples.slice(start, self.batch_size)
            width = max(2, int(list_lengths(rows["history"]).max()))
            width = width if self.longest is None else min(width, max(2, self.longest))
            history = torch.from_numpy(padded_lists(rows["history"], width, padding=-1))
            target = self.targets[start : start + self.batch_size]
            if self.scored != "last":
                sequence = history if self.scored == "released" else torch.cat([history, target[:, None]], dim=1)
                history, following = sequence[:, :-1], sequence[:, 1:]
                target = following.where(history >= 0, -1)
            yield {"sample_id": _ids(rows), "history": history, "target": target}


class ClickBatches:
    """Batches of impressions in their order, as often as one asks for them."""

    def __init__(self, samples: pa.Table, users: pa.Table, config: DinConfig, batch_size: int) -> None:
        self.samples = samples
        self.users = users
        self.config = config
        self.batch_size = batch_size

    def __len__(self) -> int:
        """Return the number of batches."""
        return math.ceil(self.samples.num_rows / self.batch_size)

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        """Yield "sample_id" (B,), "label" (B,) float32, and the parts of `ClickFeatures` by name."""
        for start in range(0, self.samples.num_rows, self.batch_size):
            rows = self.samples.slice(start, self.batch_size)
            label = torch.from_numpy(np.array(rows["label"], dtype=np.float32))
            yield {"sample_id": _ids(rows), "label": label, **vars(click_features(rows, self.users, self.config))}


def _ids(samples: pa.Table) -> Tensor:
    return torch.from_numpy(np.array(samples["sample_id"], dtype=np.int64))


def surrogate_batches(
    samples: pa.Table, batch_size: int = 256, split: int = TRAIN, *, scored: str = "last", longest: int | None = None
) -> SurrogateBatches:
    """Return the samples of one split as batches that can be iterated again and again.

    Args:
        samples: Table `samples`.
        batch_size: Samples per batch.
        split: 0 train, 1 valid, 2 test.
        scored: What the loss of a sample is about. "last": its target after its history, which is what the language
            model learns from it. "sequence": every item of the sequence but the first, the target included, as DEALRec
            defines its surrogate's loss (arXiv 2401.17197). "released": as DEALRec's public code behaves, whose shift
            of the sequence leaves the target out, so that a sample with fewer than two items in its history has
            neither loss nor gradient.
        longest: Newest items of a history that are handed over, so that one long history does not widen a batch; None
            for all. A model reads no more than its `max_length` + 1.

    Raises:
        ValueError: `scored` is unknown.
    """
    if scored not in SCORED:
        raise ValueError(f"scored '{scored}' is unknown: use {', '.join(SCORED)}.")
    return SurrogateBatches(samples.filter(pc.equal(samples["split"], split)), batch_size, scored, longest)


def influence_batches(
    model: Surrogate,
    samples: pa.Table,
    users: pa.Table,
    batch_size: int = 256,
    split: int = TRAIN,
    *,
    scored: str = "last",
) -> SurrogateBatches | ClickBatches:
    """Return the samples of one split as the batches that a surrogate's losses are taken on.

    Args:
        model: A trained surrogate.
        samples: Table `samples`.
        users: Table `users`, whose profiles DIN reads.
        batch_size: Samples per batch.
        split: 0 train, 1 valid, 2 test.
        scored: As `surrogate_batches` has it; of an impression there is nothing to score but its label, "last".

    Raises:
        ValueError: `scored` is unknown, or another than "last" for DIN.
    """
    if not isinstance(model, Din):
        return surrogate_batches(samples, batch_size, split, scored=scored, longest=model.config.max_length + 1)
    if scored != "last":
        raise ValueError(
            f"attribution.influence.scored is '{scored}', which is about next items, and DIN, the surrogate of clicks, "
            "scores an impression's label: set it to last, or train with surrogate.model sasrec."
        )
    return ClickBatches(samples.filter(pc.equal(samples["split"], split)), users, model.config, batch_size)


def sample_losses(model: Surrogate, batch: dict[str, Tensor]) -> Tensor:
    """Return the loss (B,) of every sample: mean cross-entropy over its scored items, 0 where none is scored.

    For DIN it is the cross-entropy of the label. For SASRec, catalogues of at most `REFERENCE_ITEMS` items are compared
    with in full, larger ones through a fixed draw that is the same in every call. No term couples samples, and every
    operation is differentiable twice if attention runs on its plain implementation
    (``torch.nn.attention.sdpa_kernel(SDPBackend.MATH)``).

    Args:
        model: The surrogate.
        batch: As `influence_batches` yields it.
    """
    if isinstance(model, Din):
        everything = slice(None)
        features = ClickFeatures(**{name: batch[name] for name in FEATURES}).rows(everything, model.device)
        return F.binary_cross_entropy_with_logits(model(features), batch["label"].to(model.device), reduction="none")
    history, targets = batch["history"].to(model.device), batch["target"].to(model.device)
    if targets.ndim == 1:
        return reference_losses(model.states(history), model.item_vectors, targets)
    newest = -model.config.max_length
    history, targets = history[:, newest:], targets[:, newest:]
    rows, columns = (targets >= 0).nonzero(as_tuple=True)
    losses = reference_losses(model.states_at(history, rows, columns), model.item_vectors, targets[rows, columns])
    cells = losses.new_zeros(targets.shape).index_put((rows, columns), losses)
    return cells.sum(1) / (targets >= 0).sum(1).clamp(min=1)
