"""Greedy facility location by other libraries; runs in an interpreter of its own, where they are installed.

Run as `python -m benchmarks.selection.greedy_peers LIBRARY SIMILARITY.npy BUDGET`; prints one line of JSON: seconds and
the rows in their order. The similarity has one row per target and one column per candidate, all entries at least 0.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np


def submodlib(similarity: np.ndarray, budget: int) -> list[int]:
    """Lazy greedy of submodlib on a rectangular similarity."""
    from submodlib import FacilityLocationFunction

    n_targets, n_rows = similarity.shape
    function = FacilityLocationFunction(n_rows, "dense", separate_rep=True, n_rep=n_targets, sijs=similarity)
    options = {"stopIfZeroGain": False, "stopIfNegativeGain": False, "verbose": False, "show_progress": False}
    return [int(row) for row, _ in function.maximize(budget=budget, optimizer="LazyGreedy", **options)]


def apricot(similarity: np.ndarray, budget: int) -> list[int]:
    """Lazy greedy of apricot, which takes square similarities only."""
    from apricot import FacilityLocationSelection

    selector = FacilityLocationSelection(budget, metric="precomputed", optimizer="lazy", verbose=False)
    return [int(row) for row in selector.fit(similarity).ranking]


LIBRARIES = {"submodlib": submodlib, "apricot": apricot}


def main() -> None:
    """Time one library; the faster of two calls counts, so that imports and compilation stay out of the figure."""
    library, path, budget = LIBRARIES[sys.argv[1]], sys.argv[2], int(sys.argv[3])
    similarity = np.load(path)
    seconds = []
    for _ in range(2):
        started = time.perf_counter()
        rows = library(similarity, budget)
        seconds.append(time.perf_counter() - started)
    print(json.dumps({"seconds": min(seconds), "rows": rows}))


if __name__ == "__main__":
    main()
