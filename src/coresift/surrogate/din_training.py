"""Training of DIN on clicks, and its states: early stopping on validation AUC, best weights kept."""

from __future__ import annotations

import copy
import logging
from dataclasses import asdict, dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
import torch.nn.functional as F
from sklearn.metrics import roc_auc_score
from torch import Tensor

from coresift.compute import progress_bar, resolve_device
from coresift.storage import Tensors, fingerprint
from coresift.surrogate.din import ClickFeatures, Din, DinConfig, click_features, profile_values
from coresift.surrogate.sequences import TRAIN
from coresift.surrogate.validation import VALID

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DinOptions:
    """How DIN is trained.

    Attributes:
        epochs: most passes over the training samples.
        patience: epochs without a better validation AUC after which training stops.
        batch_size: samples of a step.
        learning_rate: step size of AdamW.
        weight_decay: decoupled weight decay of AdamW.
    """

    epochs: int = 12
    patience: int = 2
    batch_size: int = 512
    learning_rate: float = 1e-3
    weight_decay: float = 0.01


def train_din(
    samples: pa.Table,
    users: pa.Table,
    n_items: int,
    *,
    options: DinOptions | None = None,
    random_state: int = 0,
    device: str = "cpu",
    **shape: int | float,
) -> tuple[Din, dict[str, object]]:
    """Train on every training sample and keep the weights with the best validation AUC.

    Args:
        samples: table `samples` with labels 0 and 1.
        users: table `users`; row = user id.
        n_items: catalogue size M.
        options: how to train.
        random_state: seed of weights, order and dropout.
        device: "auto", "cpu", "cuda" or "mps".
        shape: fields of `DinConfig`.

    Returns:
        The model on the CPU, and how training went: the best epoch, and loss and validation AUC of every epoch.

    Raises:
        ValueError: the training or validation samples hold only one label.
    """
    highest = pc.max(pc.list_flatten(samples["history_ratings"])).as_py() or 1.0
    config = DinConfig(n_items, profile_values(users), float(highest), **shape)  # type: ignore[arg-type]
    training, validation = (_labelled(samples, users, config, split) for split in (TRAIN, VALID))
    with torch.random.fork_rng():
        torch.manual_seed(random_state)
        model = Din(config).to(resolve_device(device))
        history = _fit(model, training, validation, options or DinOptions())
    logger.info("DIN kept from epoch %d of %d.", _best_epoch(history), len(history))
    return model.cpu().eval(), {"best_epoch": _best_epoch(history), "epochs": history}


def _labelled(samples: pa.Table, users: pa.Table, config: DinConfig, split: int) -> tuple[ClickFeatures, Tensor]:
    part = samples.filter(pc.equal(samples["split"], split))
    labels = torch.from_numpy(np.array(part["label"], dtype=np.float32))
    if len(labels.unique()) < 2:
        raise ValueError("DIN needs liked and disliked samples in training and validation: ingest samples of clicks.")
    return click_features(part, users, config), labels


def _fit(
    model: Din,
    training: tuple[ClickFeatures, Tensor],
    validation: tuple[ClickFeatures, Tensor],
    options: DinOptions,
) -> list[dict[str, float]]:
    """Train until the validation AUC no longer rises, restore the best weights, and return what every epoch brought."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay)
    history: list[dict[str, float]] = []
    best: dict[str, Tensor] = {}
    while not history or (len(history) < options.epochs and len(history) - _best_epoch(history) < options.patience):
        loss = _epoch(model, *training, optimizer, options.batch_size)
        auc = float(roc_auc_score(validation[1], model.encode(validation[0])[1]))
        history.append({"epoch": len(history) + 1, "loss": loss, "auc": auc})
        if _best_epoch(history) == len(history):
            best = copy.deepcopy(model.state_dict())
    model.load_state_dict(best)
    return history


def _best_epoch(history: list[dict[str, float]]) -> int:
    return max(range(len(history)), key=lambda place: history[place]["auc"], default=-1) + 1


def _epoch(
    model: Din, features: ClickFeatures, labels: Tensor, optimizer: torch.optim.Optimizer, batch_size: int
) -> float:
    model.train()
    total = 0.0
    for places in progress_bar(torch.randperm(len(labels)).split(batch_size), description="DIN"):
        logits = model(features.rows(places, model.device))
        loss = F.binary_cross_entropy_with_logits(logits, labels[places].to(model.device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += float(loss.detach()) * len(places)
    return total / len(labels)


def din_states(model: Din, samples: pa.Table, users: pa.Table) -> tuple[Tensors, Tensor]:
    """Return the states of every sample, and the model's own click logits (N,).

    The states depend on the item in question, so they serve click samples only. The metadata name the surrogate.
    """
    states, logits = model.encode(click_features(samples, users, model.config))
    sample_id = torch.from_numpy(np.asarray(samples["sample_id"], dtype=np.int64))
    name = fingerprint(asdict(model.config), dict(model.state_dict()))
    return Tensors({"sample_id": sample_id, "state": states}, {"surrogate": name}), logits
