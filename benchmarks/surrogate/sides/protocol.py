"""What every side of the surrogate benchmark does alike: data, clock, validation, stopping, top lists.

Runs in the environment of the library that is measured, so it needs NumPy and torch only. Time is the processor time of
the process while an epoch trains, with one thread; ranking is never part of it.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

TOP = 20
USERS_PER_BLOCK = 256
Score = Callable[[list[np.ndarray]], torch.Tensor]
"""Scores (B, M) of the whole catalogue after B histories; column = item id; the model's own truncation applies."""


class Task:
    """Training sequences, and histories and targets of validation and test users."""

    def __init__(self, path: Path) -> None:
        self.arrays = dict(np.load(path))
        self.n_items = int(self.arrays["n_items"])
        self.train = self.lists("train")
        self.valid, self.valid_targets = self.lists("valid"), self.lists("valid_targets")
        self.test = self.lists("test")

    def lists(self, name: str) -> list[np.ndarray]:
        """Cut one flat array into the users' lists."""
        return np.split(self.arrays[name], np.cumsum(self.arrays[f"{name}_lengths"])[:-1])


def parse() -> argparse.Namespace:
    """Read the arguments that every side takes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("task", type=Path)
    parser.add_argument("lists", type=Path, help="where the top lists of the best epoch go, as .npy")
    parser.add_argument("--loss", default="full", choices=["full", "sampled", "titles"])
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--patience", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--time-only", action="store_true", help="train, do not rank")
    for name, value in (("dimension", 64), ("blocks", 2), ("heads", 2), ("max-length", 50), ("negatives", 2048)):
        parser.add_argument(f"--{name}", type=int, default=value)
    torch.set_num_threads(1)
    return parser.parse_args()


def padded(histories: list[np.ndarray], length: int, *, shift: int, padding: int, left: bool) -> torch.Tensor:
    """Return the newest `length` items of every history as a matrix of ids + shift."""
    matrix = np.full((len(histories), length), padding, dtype=np.int64)
    for row, history in enumerate(histories):
        newest = history[-length:]
        place = slice(length - len(newest), length) if left else slice(0, len(newest))
        matrix[row, place] = newest + shift
    return torch.from_numpy(matrix)


@torch.no_grad()
def top_lists(score: Score, histories: list[np.ndarray], k: int) -> np.ndarray:
    """Rank the whole catalogue without what the user already has: (U, k) item ids, best first."""
    blocks = []
    for start in range(0, len(histories), USERS_PER_BLOCK):
        block = histories[start : start + USERS_PER_BLOCK]
        scores = score(block).float()
        rows = np.repeat(np.arange(len(block)), [len(history) for history in block])
        scores[torch.from_numpy(rows), torch.from_numpy(np.concatenate(block).astype(np.int64))] = -torch.inf
        blocks.append(scores.topk(k, dim=1).indices.numpy())
    return np.concatenate(blocks)


def ndcg_at_10(lists: np.ndarray, targets: list[np.ndarray]) -> float:
    """Return the mean NDCG@10; the ideal list holds min(targets, 10) hits."""
    discounts = 1 / np.log2(np.arange(2, 12))
    hits = np.stack([np.isin(row[:10], wanted) for row, wanted in zip(lists, targets, strict=True)])
    ideal = np.cumsum(discounts)[[min(len(wanted), 10) - 1 for wanted in targets]]
    return float(((hits * discounts).sum(1) / ideal).mean())


class Recorder:
    """Times epochs, validates after each, keeps the test lists of the best, and says when to stop."""

    def __init__(self, task: Task, arguments: argparse.Namespace) -> None:
        self.task = task
        self.arguments = arguments
        self.seconds: list[float] = []
        self.valid: list[float] = []

    def __deepcopy__(self, memo: dict[int, object]) -> Recorder:
        """Stay the one recorder where a library trains with a copy of its trainer."""
        return self

    @contextmanager
    def epoch(self) -> Iterator[None]:
        """Take the time of one epoch."""
        started = time.process_time()
        yield
        self.seconds.append(time.process_time() - started)

    def after_epoch(self, score: Score) -> bool:
        """Validate, save the top lists, and return whether training has gone on long enough."""
        n_epochs = len(self.seconds)
        if not self.arguments.time_only:
            self.valid.append(ndcg_at_10(top_lists(score, self.task.valid, 10), self.task.valid_targets))
            if self.valid[-1] == max(self.valid):
                np.save(self.arguments.lists, top_lists(score, self.task.test, TOP))
            print(f"epoch {n_epochs}: {self.seconds[-1]:.1f} s, validation ndcg@10 {self.valid[-1]:.4f}", flush=True)
        tired = bool(self.valid) and n_epochs - 1 - int(np.argmax(self.valid)) >= self.arguments.patience
        return tired or n_epochs >= self.arguments.epochs

    def hand_over(self) -> None:
        """Print what was measured, last of all."""
        hand_over(self.seconds, self.valid)


def hand_over(seconds: list[float], valid: list[float]) -> None:
    """Print the seconds of every epoch, and its validation figure, as the line of JSON that is read."""
    if not seconds:
        raise RuntimeError("no epoch was trained")
    print(json.dumps({"seconds": seconds, "valid": valid}), flush=True)
