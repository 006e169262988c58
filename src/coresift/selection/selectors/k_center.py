"""k-center greedy (Sener and Savarese, 2018, arXiv 1708.00489): every candidate near to some selected one."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Ge, Lt
from numpy.typing import NDArray
from typing_extensions import Doc

from coresift.compute import in_common_unit
from coresift.selection.budgets import best_first, largest, split_highest, tie_ranks
from coresift.selection.candidate_pool import CandidatePool, RepresentationOption
from coresift.selection.selector import Budget, DeviceName, RandomState, Selection, Selector
from coresift.transport import BlockCost


class KCenterSelector(Selector):
    """Starts at random and adds the candidate farthest from all selected ones, again and again.

    The method seeks outliers, so the candidates farthest from the mean are left out first.
    """

    def __init__(
        self,
        budget: Budget = 1024,
        *,
        representation: RepresentationOption = "embedding",
        outlier_share: Annotated[float, Ge(0), Lt(1), Doc("Share of the candidates left out as outliers.")] = 0.05,
        random_state: RandomState = 0,
        device: DeviceName = "auto",
    ) -> None:
        self.budget = budget
        self.representation = representation
        self.outlier_share = outlier_share
        self.random_state = random_state
        self.device = device

    @property
    def reads(self) -> tuple[str, ...]:
        """The inputs of a pool that are looked at with these options."""
        return (self.representation,)

    def _select(self, pool: CandidatePool) -> Selection:
        (rows,), unit = in_common_unit(pool.require(self.representation))
        ties = tie_ranks(len(pool), self.random_state)
        remoteness = np.linalg.norm(rows - rows.mean(axis=0), axis=1)
        kept, figures = split_highest(best_first(remoteness, ties), self.outlier_share, self.budget)
        inner = len(kept) - figures["returned_from_pruned"]
        centers, radius = self._walk(rows, kept[:inner], ties)
        chosen = np.concatenate([centers, kept[inner:]])
        return Selection(chosen, is_prefix_valid=True, figures=figures | {"radius": radius * unit})

    def _walk(
        self, rows: NDArray, inner: NDArray[np.int64], ties: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], float]:
        """Centers among the inner candidates, and the distance to the one that is farthest from all centers."""
        cost = BlockCost(rows, rows[inner], distance_scale=1.0, device=self.device)
        nearest, open_places = np.full(len(inner), np.inf), np.ones(len(inner), dtype=bool)
        chosen = np.empty(min(self.budget, len(inner)), dtype=np.int64)
        for step in range(len(chosen)):
            place = largest(np.where(open_places, nearest, -np.inf), ties[inner])
            open_places[place], chosen[step] = False, inner[place]
            nearest = np.minimum(nearest, cost.rows(chosen[[step]])[0])
        return chosen, float(nearest[open_places].max(initial=0.0))
