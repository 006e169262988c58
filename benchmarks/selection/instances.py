"""Instances of the search benchmark: clusters, hubs, the embeddings of a finished run; sizes, norms, greedy start."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from coresift.storage import TRAIN, VALID
from coresift.transport import BlockCost, greedy_medoids

SIZES = [(5000, 2000, 256), (15000, 5000, 1000), (45000, 4000, 1024)]
GRADIENT_WEIGHT = 0.3
DIMENSIONS = 384


def clustered(n_train: int, n_valid: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A hundred clusters, of which the validation rows use each to another extent."""
    generator = np.random.default_rng(0)
    centers = generator.standard_normal((100, DIMENSIONS), dtype=np.float32)
    train, valid = (generator.standard_normal((size, DIMENSIONS), dtype=np.float32) for size in (n_train, n_valid))
    for rows, shares in ((train, None), (valid, generator.dirichlet(np.ones(100)))):
        rows *= 0.5
        for chunk in np.array_split(rows, max(1, len(rows) // 10_000)):
            chunk += centers[generator.choice(100, len(chunk), p=shares)]
    return train, valid


def hub_heavy(n_train: int, n_valid: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Rows of very different length: the short ones are near everything."""
    generator = np.random.default_rng(0)
    return tuple(
        generator.standard_normal((size, DIMENSIONS), np.float32)
        * (0.3 + generator.standard_exponential((size, 1), np.float32))
        for size in (n_train, n_valid)
    )


def real(folder: Path) -> Callable[[int, int], tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Embeddings of a finished run, thinned evenly to the size asked for."""
    tensors = load_file(folder / "sample_embeddings.safetensors")

    def thinned(n_train: int, n_valid: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        splits = [tensors["embedding"][tensors["split"] == split] for split in (TRAIN, VALID)]
        sizes = zip(splits, (n_train, n_valid), strict=True)
        return tuple(rows[np.linspace(0, len(rows) - 1, min(size, len(rows))).astype(int)] for rows, size in sizes)

    return thinned


def seeded_norms(n_train: int) -> NDArray[np.float64]:
    """Gradient norms around one, with a standard deviation of .18."""
    return np.random.default_rng(1).gamma(30.0, 1 / 30, n_train)


def timed_greedy(cost: BlockCost, budget: int) -> tuple[NDArray[np.int64], float]:
    """The greedy selection and its seconds, distances included."""
    started = time.perf_counter()
    rows = greedy_medoids(cost, budget, np.empty(0, dtype=np.int64), np.ones(len(cost), dtype=bool))
    return rows, time.perf_counter() - started
