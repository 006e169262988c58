"""Instances of the selection benchmark: clusters, hubs, and the embeddings of a finished run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

DIMENSIONS = 384


def clustered(n_train: int, n_valid: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A hundred clusters, of which the validation rows use each to another extent."""
    generator = np.random.default_rng(0)
    centres = generator.standard_normal((100, DIMENSIONS), dtype=np.float32)
    train, valid = (generator.standard_normal((size, DIMENSIONS), dtype=np.float32) for size in (n_train, n_valid))
    for rows, shares in ((train, None), (valid, generator.dirichlet(np.ones(100)))):
        rows *= 0.5
        for chunk in np.array_split(rows, max(1, len(rows) // 10_000)):
            chunk += centres[generator.choice(100, len(chunk), p=shares)]
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
        splits = [tensors["embedding"][tensors["split"] == split] for split in (0, 1)]
        sizes = zip(splits, (n_train, n_valid), strict=True)
        return tuple(rows[np.linspace(0, len(rows) - 1, min(size, len(rows))).astype(int)] for rows, size in sizes)

    return thinned
