"""D2 pruning (Maharana et al., 2024, arXiv 2310.07931): difficulty and diversity by messages on a neighbor graph."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Ge
from numpy.typing import NDArray
from typing_extensions import Doc

from coresift.selection.budgets import largest, tie_ranks
from coresift.selection.candidate_pool import CandidatePool, DifficultyOption, RepresentationOption
from coresift.selection.nearness import nearest_others
from coresift.selection.selector import Budget, DeviceName, RandomState, Selection, Selector


class D2PruningSelector(Selector):
    """Spreads difficulty over a graph of nearest neighbors, then takes the highest and silences its neighbors.

    Forward, a node's value is its difficulty plus that of its neighbors times ``exp(-distance)``. Backward, the node
    of the highest value is selected and its neighbors lose ``exp(-decay * distance)`` times that value.
    """

    def __init__(
        self,
        budget: Budget = 1024,
        *,
        score: DifficultyOption = "el2n",
        representation: RepresentationOption = "embedding",
        n_neighbors: Annotated[int, Ge(1), Doc("Neighbours of a candidate; fewer where the pool has fewer.")] = 10,
        decay: Annotated[
            float | None,
            Ge(0),
            Doc("How fast a selected candidate's reach falls with distance; null: 1 / dimensions, as the code does."),
        ] = None,
        random_state: RandomState = 0,
        device: DeviceName = "auto",
    ) -> None:
        self.budget = budget
        self.score = score
        self.representation = representation
        self.n_neighbors = n_neighbors
        self.decay = decay
        self.random_state = random_state
        self.device = device

    @property
    def reads(self) -> tuple[str, ...]:
        """The inputs of a pool that are looked at with these options."""
        return self.score, self.representation

    def _select(self, pool: CandidatePool) -> Selection:
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
