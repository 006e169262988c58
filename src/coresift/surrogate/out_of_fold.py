"""States of training samples from surrogates that never saw the sample's user.

A surrogate has learned its own training samples, so its states are surer of them than of anything at test time. Each
fold's users are therefore encoded by a surrogate trained on all others. Two trainings end in rotated spaces; an
orthogonal map and a shift, fitted on the validation samples, bring each fold's states back to the final surrogate's.
"""

from __future__ import annotations

import logging
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from safetensors import SafetensorError
from torch import Tensor

from coresift.storage import TRAIN, VALID, Tensors, atomic_folder
from coresift.surrogate.stored_surrogate import Surrogate, load_surrogate, save_surrogate, surrogate_states
from coresift.surrogate.surrogate_kinds import TrainOn

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Alignment:
    """A rotation and shift of states.

    Attributes:
        rotation: (d, d), orthogonal.
        source_mean: (d,), taken off before the rotation.
        target_mean: (d,), added after it.
        residual: ||aligned - target|| / ||target - its mean||, Frobenius norms, on samples that the map was not fitted
            to: 0 where both spaces agree, 1 or more where the mean would do as well.
    """

    rotation: Tensor
    source_mean: Tensor
    target_mean: Tensor
    residual: float

    def __call__(self, states: Tensor) -> Tensor:
        """Return states (N, d) in the target's space, float32."""
        return ((states.double() - self.source_mean) @ self.rotation + self.target_mean).float()


def align_states(source: Tensor, target: Tensor) -> Alignment:
    """Fit the orthogonal Procrustes map (Schoenemann, 1966) that brings `source` (N, d) closest to `target` (N, d).

    The map is fitted to all rows. Its residual comes from two maps, each fitted to every other row and measured on the
    rest, since a rotation of d dimensions fits fewer rows than that whatever they are; below four rows it is infinite.
    """
    even = torch.arange(len(source)) % 2 == 0
    left = [_left_on_the_others(source, target, fitted) for fitted in (even, ~even)] if len(source) > 3 else []
    residual = math.sqrt(sum(error for error, _ in left) / sum(spread for _, spread in left)) if left else math.inf
    return Alignment(*_procrustes(source.double(), target.double()), residual)


def _procrustes(source: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the rotation (d, d) and the means (d,) of source and target."""
    source_mean, target_mean = source.mean(0), target.mean(0)
    left, _, right = torch.linalg.svd((source - source_mean).T @ (target - target_mean))
    return left @ right, source_mean, target_mean


def _left_on_the_others(source: Tensor, target: Tensor, fitted: Tensor) -> tuple[float, float]:
    """Return the squared error of the map, and of the mean, of some rows on all others."""
    rotation, source_mean, target_mean = _procrustes(source[fitted].double(), target[fitted].double())
    wanted = target[~fitted].double() - target_mean
    error = (source[~fitted].double() - source_mean) @ rotation - wanted
    return float(error.square().sum()), float(wanted.square().sum())


@dataclass(frozen=True)
class OutOfFoldReport:
    """How out-of-fold states were made.

    Attributes:
        folds: Number of folds.
        residuals: Residual of every fold's alignment on the validation samples.
        max_residual: The largest residual that is accepted.
        used: Whether the states are out of fold; otherwise they are the final, early-stopped surrogate's own.
    """

    folds: int
    residuals: list[float]
    max_residual: float
    used: bool


def out_of_fold_states(
    model: Surrogate,
    interactions: pa.Table,
    samples: pa.Table,
    train: TrainOn,
    *,
    users: pa.Table | None = None,
    folds: int,
    max_residual: float,
    folder: Path,
    random_state: int = 0,
) -> tuple[Tensors, dict[str, object]]:
    """Return the states of every sample, those of training samples out of fold, and a JSON-ready report.

    Args:
        model: The final surrogate, which encodes validation and test samples.
        interactions: Table `interactions`.
        samples: Table `samples`.
        train: Trains a fold's surrogate, with the options of the final one.
        users: Table `users`, whose profiles DIN reads.
        folds: Parts into which users are divided, at least 2.
        max_residual: If a fold's alignment leaves more, training samples keep the final surrogate's own states.
        folder: Keeps finished folds, so that a killed run resumes.
        random_state: Seed of the division.

    Raises:
        ValueError: Fewer than two folds, or fewer users than folds.
    """
    states = surrogate_states(model, samples, users)
    valid = samples.filter(pc.equal(samples["split"], VALID))
    target = surrogate_states(model, valid, users)["state"]
    fold_of = _fold_of_users(interactions, folds, random_state)
    in_train = np.asarray(pc.equal(samples["split"], TRAIN))
    fold_of_sample = fold_of[np.asarray(samples["user_id"])]
    aligned, residuals = states["state"].clone(), []
    for fold in range(folds):
        other = _fold_surrogate(folder / f"fold-{fold}", interactions, samples, train, fold_of != fold)
        alignment = align_states(surrogate_states(other, valid, users)["state"], target)
        rows = np.flatnonzero(in_train & (fold_of_sample == fold))
        own = surrogate_states(other, samples.take(pa.array(rows)), users)
        aligned[torch.from_numpy(rows)] = alignment(own["state"])
        residuals.append(alignment.residual)
        logger.info("Surrogate without fold %d: alignment residual %.3f.", fold, alignment.residual)
    report = OutOfFoldReport(folds, residuals, max_residual, used=max(residuals) <= max_residual)
    if not report.used:
        logger.warning("An alignment residual exceeds %.3f: training samples keep their own states.", max_residual)
        return states, asdict(report)
    metadata = {**states.metadata, "training_states": f"out of fold, {folds} folds"}
    return Tensors({"sample_id": states["sample_id"], "state": aligned}, metadata), asdict(report)


def _fold_of_users(interactions: pa.Table, folds: int, random_state: int) -> np.ndarray:
    """Return the fold of every user id, drawn so that folds are equally large."""
    n_users = pc.max(interactions["user_id"]).as_py() + 1
    if not 2 <= folds <= n_users:
        raise ValueError(f"{folds} folds do not divide {n_users} users: use at least 2 and at most one per user.")
    return np.random.default_rng(random_state).permutation(n_users) % folds


def _fold_surrogate(
    folder: Path, interactions: pa.Table, samples: pa.Table, train: TrainOn, kept: np.ndarray
) -> Surrogate:
    """Return the surrogate of the users that are kept, trained now or by an earlier, killed run."""
    if folder.exists():
        try:
            return load_surrogate(folder)
        except (ValueError, TypeError, RuntimeError, OSError, SafetensorError) as error:
            logger.warning("The surrogate in '%s' is damaged (%s): it is trained again.", folder, error)
    seen, sampled = (table.filter(pa.array(kept[table["user_id"].to_numpy()])) for table in (interactions, samples))
    with atomic_folder(folder) as draft:
        save_surrogate(train(seen, sampled).model, draft)
    return load_surrogate(folder)
