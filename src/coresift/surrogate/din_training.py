"""Training of DIN on clicks: early stopping on validation AUC, best weights kept."""

from __future__ import annotations

import copy
import logging
import time
from dataclasses import asdict, dataclass, fields

import pyarrow as pa
import pyarrow.compute as pc
import torch
import torch.nn.functional as F
from sklearn.metrics import log_loss, roc_auc_score
from torch import Tensor

from coresift.compute import progress_bar, resolve_device
from coresift.storage import TRAIN, VALID
from coresift.surrogate.click_record import ClickRecord, Clicks
from coresift.surrogate.din import Din, DinConfig, profile_values
from coresift.surrogate.training import TrainedSurrogate

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DinOptions:
    """How DIN is trained.

    Attributes:
        epochs: Most passes over the training samples.
        patience: Epochs without a better validation AUC after which training stops.
        batch_size: Samples of a step.
        learning_rate: Step size of AdamW.
        weight_decay: Decoupled weight decay of AdamW.
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
    """Train DIN as `train_click_surrogate` does, and return the model and how training went.

    Args:
        samples: Table `samples` with labels 0 and 1.
        users: Table `users`; row = user id.
        n_items: Catalogue size M.
        options: How to train.
        random_state: Seed of weights, order and dropout.
        device: "auto", "cpu", "cuda" or "mps".
        shape: Fields of `DinConfig`.

    Raises:
        ValueError: The training or validation samples hold only one label.
    """
    given = asdict(options or DinOptions()) | shape
    trained = train_click_surrogate(samples, users, n_items, random_state=random_state, device=device, **given)
    return trained.model, trained.metrics


def train_click_surrogate(
    samples: pa.Table,
    users: pa.Table,
    n_items: int,
    *,
    random_state: int = 0,
    device: str = "cpu",
    **options: int | float,
) -> TrainedSurrogate[Din]:
    """Train DIN on every training sample and keep the weights with the best validation AUC.

    Args:
        samples: Table `samples` with labels 0 and 1; validation rows stop training, training rows are scored.
        users: Table `users`; row = user id.
        n_items: Catalogue size M.
        random_state: Seed of weights, order and dropout.
        device: "auto", "cpu", "cuda" or "mps".
        options: Fields of `DinOptions`, and those of `DinConfig` that shape the model.

    Returns:
        The model on the CPU, metrics, and the table `sample_scores`.

    Raises:
        ValueError: The training or validation samples hold only one label.
    """
    training = {entry.name: options.pop(entry.name) for entry in fields(DinOptions) if entry.name in options}
    highest = pc.max(pc.list_flatten(samples["history_ratings"])).as_py() or 1.0
    config = DinConfig(n_items, profile_values(users), float(highest), **options)  # type: ignore[arg-type]
    record = ClickRecord(*(_both_labels(samples, users, config, split) for split in (TRAIN, VALID)))
    with torch.random.fork_rng():
        torch.manual_seed(random_state)
        model = Din(config).to(resolve_device(device))
        history, seconds = _fit(model, record, DinOptions(**training))  # type: ignore[arg-type]
    logger.info("DIN kept from epoch %d of %d.", _best_epoch(history), len(history))
    model = model.cpu().eval()
    return TrainedSurrogate(model, _metrics(model, record, history), record.table(model), seconds)


def _both_labels(samples: pa.Table, users: pa.Table, config: DinConfig, split: int) -> Clicks:
    clicks = Clicks.of(samples, users, config, split)
    if len(clicks.labels.unique()) < 2:
        name = {TRAIN: "training", VALID: "validation"}[split]
        raise ValueError(
            f"DIN, the surrogate of clicks, needs liked and disliked samples, and the {name} samples are not both: "
            "ingest samples of clicks with a split that holds both, or set surrogate.model to sasrec."
        )
    return clicks


def _fit(model: Din, record: ClickRecord, options: DinOptions) -> tuple[list[dict[str, float]], list[float]]:
    """Train until the validation AUC no longer rises, restore the best weights.

    Returns:
        What every epoch brought, and the processor time of its training.
    """
    optimizer = torch.optim.AdamW(model.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay)
    history: list[dict[str, float]] = []
    seconds: list[float] = []
    best: dict[str, Tensor] = {}
    while not history or (len(history) < options.epochs and len(history) - _best_epoch(history) < options.patience):
        started = time.process_time()
        loss = _epoch(model, record.training, optimizer, options.batch_size)
        seconds.append(time.process_time() - started)
        history.append({"epoch": len(history) + 1, "loss": loss, **_validated(model, record.validation)})
        record.after_epoch(model)
        if _best_epoch(history) == len(history):
            best = copy.deepcopy(model.state_dict())
    model.load_state_dict(best)
    return history, seconds


def _validated(model: Din, clicks: Clicks) -> dict[str, float]:
    logits = model.encode(clicks.features)[1]
    losses = log_loss(clicks.labels, logits.double().sigmoid())
    return {"auc": float(roc_auc_score(clicks.labels, logits)), "log_loss": float(losses)}


def _best_epoch(history: list[dict[str, float]]) -> int:
    return max(range(len(history)), key=lambda place: history[place]["auc"], default=-1) + 1


def _epoch(model: Din, clicks: Clicks, optimizer: torch.optim.Optimizer, batch_size: int) -> float:
    model.train()
    total = 0.0
    for places in progress_bar(torch.randperm(len(clicks.labels)).split(batch_size), description="DIN"):
        logits = model(clicks.features.rows(places, model.device))
        loss = F.binary_cross_entropy_with_logits(logits, clicks.labels[places].to(model.device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += float(loss.detach()) * len(places)
    return total / len(clicks.labels)


def _metrics(model: Din, record: ClickRecord, history: list[dict[str, float]]) -> dict[str, object]:
    best = history[_best_epoch(history) - 1]
    return {
        "model": model.kind,
        "best_epoch": _best_epoch(history),
        "validation": {"auc": best["auc"], "log_loss": best["log_loss"]},
        "validation_samples": len(record.validation.labels),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "training_samples": len(record.training.labels),
        "epochs": history,
    }
