"""D2 pruning (Maharana et al., 2024, arXiv 2310.07931): difficulty and diversity by messages on a neighbour graph."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from coresift.selection.budgets import largest, tie_ranks
from coresift.selection.candidate_pool import DIFFICULTIES, MATRICES, CandidatePool
from coresift.selection.nearness import nearest_others
from coresift.selection.selector import Selection, Selector, check_choice, check_count


class D2PruningSelector(Selector):
    """Spreads difficulty over a graph of nearest neighbours, then takes the highest and silences its neighbours.

    Forward, a node's value is its difficulty plus that of its neighbours times ``exp(-distance)``. Backward, the node
    of the highest value is selected and its neighbours lose ``exp(-decay * distance)`` times that value.

    Args:
        budget: how many candidates to select.
        score: the difficulty: "el2n", "loss", "grand", "forgetting" or "gradient_norm".
        representation: where neighbours are near: "embedding", "gradient_feature" or "state".
        n_neighbors: neighbours of a node; fewer where the pool has fewer.
        decay: how fast the loss of a neighbour falls with its distance; None for 1 / dimensions, as the code does.
        random_state: decides between equal values.
        device: "auto", "cpu", "cuda" or "mps".
    """

    def __init__(
        self,
        budget: int = 1024,
        *,
        score: str = "el2n",
        representation: str = "embedding",
        n_neighbors: int = 10,
        decay: float | None = None,
        random_state: int = 0,
        device: str = "auto",
    ) -> None:
        self.budget = budget
        self.score = score
        self.representation = representation
        self.n_neighbors = n_neighbors
        self.decay = decay
        self.random_state = random_state
        self.device = device

    def _select(self, pool: CandidatePool) -> Selection:
        check_choice("score", self.score, DIFFICULTIES)
        check_choice("representation", self.representation, MATRICES)
        check_count("n_neighbors", self.n_neighbors)
        difficulty, rows = pool.require_score(self.score), pool.require(self.representation)
        neighbors, distances = nearest_others(rows, self.n_neighbors, device=self.device)
        values = difficulty + (np.exp(-distances) * difficulty[neighbors]).sum(axis=1)
        decay = 1.0 / rows.shape[1] if self.decay is None else self.decay
        chosen = self._walk(values.copy(), neighbors, np.exp(-decay * distances))
        return Selection(chosen, values, is_prefix_valid=True)

    def _walk(self, values: NDArray[np.float64], neighbors: NDArray, damping: NDArray) -> NDArray[np.int64]:
        ties = tie_ranks(len(values), self.random_state)
        chosen = np.empty(self.budget, dtype=np.int64)
        for step in range(self.budget):
            best = largest(values, ties)
            values[neighbors[best]] -= damping[best] * values[best]
            values[best] = -np.inf
            chosen[step] = best
        return chosen
