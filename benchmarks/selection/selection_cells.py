"""What the parts of the selection benchmark share: sizes, finished cells in a file, the common greedy start."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coresift.transport import BlockCost
from coresift.transport.greedy_start import greedy_medoids

SIZES = [(5000, 2000, 256), (15000, 5000, 1000), (45000, 4000, 1024)]
GRADIENT_WEIGHT = 0.3
Cell = dict[str, Any]


def seeded_norms(n_train: int) -> NDArray[np.float64]:
    """Gradient norms around one, with a standard deviation of .18."""
    return np.random.default_rng(1).gamma(30.0, 1 / 30, n_train)


class Results:
    """Finished cells in a file: a killed run starts again where it stopped."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cells: dict[str, Cell] = json.loads(path.read_text()) if path.exists() else {}

    def cell(self, name: str, compute: Callable[[], Cell]) -> Cell:
        """Returns a cell, computing and storing it if it is new."""
        if name not in self.cells:
            self.cells[name] = compute()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            draft = self.path.with_suffix(".draft")
            draft.write_text(json.dumps(self.cells, indent=1))
            draft.replace(self.path)
        return self.cells[name]


def timed_greedy(cost: BlockCost, budget: int) -> tuple[NDArray[np.int64], float]:
    """The greedy selection and its seconds, distances included."""
    started = time.perf_counter()
    rows = greedy_medoids(cost, budget, np.empty(0, dtype=np.int64), np.ones(len(cost), dtype=bool))
    return rows, time.perf_counter() - started
