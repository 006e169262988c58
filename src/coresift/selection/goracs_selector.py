"""GORACS (arXiv 2506.04015): the selection nearest to the validation samples in optimal-transport cost."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from coresift.selection.candidate_pool import MATRICES, CandidatePool
from coresift.selection.selector import Selection, Selector, check_choice
from coresift.transport import BlockCost, KMedoidsResult, balanced_k_medoids


class GoracsSelector(Selector):
    """Chooses the samples whose uniform mass is cheapest to move onto the validation samples.

    The cost of a pair is the distance of their representations, less `gradient_weight` times the gradient norm of
    the training sample (Eq. 10), which rewards samples that still teach something.

    Args:
        budget: how many candidates to select.
        gradient_weight: worth of the largest gradient norm, in units of the largest distance.
        representation: "embedding", "gradient_feature" or "state".
        method: "certified", "itra" or "itra_released"; see `coresift.transport.balanced_k_medoids`.
        max_solves: transport problems to solve at most.
        time_limit: seconds after which the best selection so far is taken; None for no limit.
        fixed: positions that stay selected, for refreshing a coreset.
        exclude: positions that are never selected.
        random_state: seed of the draws that the method makes.
        device: "auto", "cpu", "cuda" or "mps".
    """

    def __init__(
        self,
        budget: int = 1024,
        *,
        gradient_weight: float = 0.1,
        representation: str = "embedding",
        method: str = "certified",
        max_solves: int = 300,
        time_limit: float | None = None,
        fixed: ArrayLike | None = None,
        exclude: ArrayLike | None = None,
        random_state: int = 0,
        device: str = "auto",
    ) -> None:
        self.budget = budget
        self.gradient_weight = gradient_weight
        self.representation = representation
        self.method = method
        self.max_solves = max_solves
        self.time_limit = time_limit
        self.fixed = fixed
        self.exclude = exclude
        self.random_state = random_state
        self.device = device

    def _select(self, pool: CandidatePool) -> Selection:
        check_choice("representation", self.representation, MATRICES)
        cost = self._cost(pool)
        result = balanced_k_medoids(
            cost,
            self.budget,
            method=self.method,
            random_state=self.random_state,
            max_solves=self.max_solves,
            time_limit=self.time_limit,
            fixed=self.fixed,
            exclude=self.exclude,
        )
        weights = served_shares(cost, result.indices)
        scores = -result.reduced_values
        order = np.lexsort((result.indices, -scores[result.indices], -weights))
        return Selection(result.indices[order], scores, weights[order], False, self._figures(result, cost, pool))

    def _cost(self, pool: CandidatePool) -> BlockCost:
        train = pool.require(self.representation)
        valid = pool.require(f"validation_{self.representation}")
        norms = pool.require("gradient_norm") if self.gradient_weight else None
        return BlockCost(train, valid, norms, self.gradient_weight, device=self.device)

    def _figures(self, result: KMedoidsResult, cost: BlockCost, pool: CandidatePool) -> dict[str, Any]:
        reference = result.objective + self.gradient_weight
        return {
            "validation_samples": pool.n_validation,
            "objective": result.objective,
            "lower_bound": result.lower_bound,
            "gap": result.gap,
            "gap_percent": 100.0 * result.gap / reference if reference > 0 else 0.0,
            "certified": result.certified,
            "transport_solves": result.n_transport_solves,
            "distance_scale": cost.distance_scale,
            "descent": [[seconds, objective] for seconds, objective in result.trace],
        }


def served_shares(cost: BlockCost, selected: NDArray[np.int64]) -> NDArray[np.float64]:
    """How much of the validation mass is nearest to each selected row, which is transport with free row masses.

    Args:
        cost: the cost of T candidates.
        selected: (n,) selected rows.

    Returns:
        (n,) shares with mean 1; the lowest position wins a tie.
    """
    nearest, owner = np.full(cost.n_targets, np.inf), np.zeros(cost.n_targets, dtype=np.int64)
    done = 0
    for rows, block in cost.blocks(selected):
        least, place = block.min(dim=0)
        closer = least.cpu().numpy() < nearest
        nearest[closer], owner[closer] = least.cpu().numpy()[closer], done + place.cpu().numpy()[closer]
        done += len(rows)
    counts = np.bincount(owner, minlength=len(selected)).astype(np.float64)
    return counts * (len(selected) / cost.n_targets)
