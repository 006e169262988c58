"""Who comes first: candidates ordered by a score, equal scores in a seeded random order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def tie_ranks(n_rows: int, random_state: int) -> NDArray[np.int64]:
    """A random place for every candidate, which decides between equal scores.

    Positions would not do: ids often follow the age of users, and the lowest position would favour the oldest.

    Args:
        n_rows: how many candidates there are.
        random_state: seed of the order.

    Returns:
        (T,) a permutation.
    """
    return np.random.default_rng(random_state).permutation(n_rows)


def best_first(scores: NDArray[np.floating], ties: NDArray[np.int64]) -> NDArray[np.int64]:
    """Positions by descending score.

    Args:
        scores: (T,) higher is better.
        ties: (T,) what decides between equal scores, lower first.

    Returns:
        (T,) positions.
    """
    return np.lexsort((ties, -scores))


def largest(scores: NDArray[np.floating], ties: NDArray[np.int64]) -> int:
    """The position of the highest score.

    Args:
        scores: (T,) higher is better.
        ties: (T,) what decides between equal scores, lower first.

    Returns:
        One position.
    """
    best = np.flatnonzero(scores == scores.max())
    return int(best[ties[best].argmin()])
