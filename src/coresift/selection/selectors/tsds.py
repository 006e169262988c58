"""TSDS (Liu et al., 2024, arXiv 2410.11303): draws from a transport plan that is kept spread out."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt, Le
from numpy.typing import NDArray
from typing_extensions import Doc

from coresift.compute import in_common_unit
from coresift.selection.budgets import best_first, tie_ranks
from coresift.selection.candidate_pool import CandidatePool, RepresentationOption
from coresift.selection.nearness import nearest_rows
from coresift.selection.selector import (
    Budget,
    DeviceName,
    RandomState,
    Selection,
    Selector,
    both_sides,
    train_and_validation,
)
from coresift.transport import BlockCost, row_values


class TsdsSelector(Selector):
    """Spreads the mass of every validation sample over its nearest candidates and draws from what they receive.

    How far mass spreads solves a transport problem with a price on concentration: more alignment, fewer candidates.
    With the density "uniform" every validation sample gives equal mass to equally many neighbors (KNN-Uniform); with
    "kernel" a candidate's mass is divided by the local density, so that near-duplicates share one portion (KNN-KDE).
    The paper's code (github.com/ZifanL/TSDS) draws with replacement; here a drawn candidate is not drawn again.
    """

    def __init__(
        self,
        budget: Budget = 1024,
        *,
        density: Annotated[
            Literal["uniform", "kernel"], Doc("Equal mass for all neighbours, or divided by the local density.")
        ] = "kernel",
        representation: RepresentationOption = "embedding",
        alignment_weight: Annotated[
            float,
            Ge(0),
            Le(1),
            Doc("The paper's alpha: nearness against spread, 1 takes the nearest candidates only."),
        ] = 0.5,
        bandwidth: Annotated[
            float,
            Gt(0),
            Doc("Radius within which others are near-duplicates, in mean norms of the candidates."),
        ] = 0.15,
        max_neighbors: Annotated[
            int,
            Ge(1),
            Doc("Candidates one validation sample can give mass to; fewer where the pool has fewer."),
        ] = 500,
        random_state: RandomState = 0,
        device: DeviceName = "auto",
    ) -> None:
        self.budget = budget
        self.density = density
        self.representation = representation
        self.alignment_weight = alignment_weight
        self.bandwidth = bandwidth
        self.max_neighbors = max_neighbors
        self.random_state = random_state
        self.device = device

    @property
    def reads(self) -> tuple[str, ...]:
        """The inputs of a pool that are looked at with these options."""
        return both_sides(self.representation)

    def _select(self, pool: CandidatePool) -> Selection:
        (train, valid), _ = in_common_unit(*train_and_validation(pool, self.representation))
        scale = float(np.linalg.norm(train, axis=1).mean()) or 1.0
        neighbors, distances = nearest_rows(valid, train, self.max_neighbors, device=self.device)
        density = np.ones(len(train))
        if self.density == "kernel":
            reached = np.unique(neighbors)
            density[reached] = kernel_density(train[reached], self.bandwidth * scale, device=self.device)
        mass = spread_mass(distances / scale, density[neighbors], self.alignment_weight)
        probability = np.bincount(neighbors.ravel(), mass.ravel(), minlength=len(train)) / len(valid)
        chosen = self._draw(probability)
        return Selection(chosen, probability, is_prefix_valid=True, figures=self._figures(probability))

    def _draw(self, probability: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return a draw without replacement: the largest log-probabilities with Gumbel noise (arXiv 1903.06059)."""
        noise = np.random.default_rng(self.random_state).gumbel(size=len(probability))
        with np.errstate(divide="ignore"):
            return best_first(np.log(probability) + noise, tie_ranks(len(noise), self.random_state))[: self.budget]

    def _figures(self, probability: NDArray[np.float64]) -> dict[str, int]:
        reached = int((probability > 0).sum())
        return {"candidates_with_mass": reached, "drawn_without_mass": max(0, self.budget - reached)}


def kernel_density(rows: NDArray, bandwidth: float, *, device: str) -> NDArray[np.float64]:
    """How crowded it is around every row: the sum of max(0, 1 - (distance / bandwidth)**2) over all rows.

    Args:
        rows: (N, d).
        bandwidth: Radius of the kernel.
        device: "auto", "cpu", "cuda" or "mps".

    Returns:
        (N,) densities; 1 for a row that is alone.
    """
    cost = BlockCost(rows, rows, distance_scale=bandwidth, device=device)
    crowds = row_values(cost.blocks(), len(cost), lambda block: (1.0 - block.square_()).clamp_(min=0.0).sum(dim=1))
    return crowds.clip(min=1.0)


def spread_mass(
    distances: NDArray[np.floating], densities: NDArray[np.float64], alignment_weight: float
) -> NDArray[np.float64]:
    """Return the optimal plan between targets and their neighbors under a price on mass per density.

    A target fills its neighbors from the nearest on, each with ``1 / (level * density)`` of its mass. The common
    level grows until moving mass to the next neighbors would cost more than the lower concentration is worth.

    Args:
        distances: (V, k) to the neighbors, nearest first, in units of the representation.
        densities: (V, k) densities of the neighbors.
        alignment_weight: Weight of the distances against the concentration, 0 to 1.

    Returns:
        (V, k) mass; every row adds up to 1, the last neighbor takes what the others leave.
    """
    portions = 1.0 / densities
    before = np.cumsum(portions, axis=1) - portions
    # At a level of before[j, k], target j starts to give to neighbor k, farther than all it gave to so far.
    levels, extra = before[:, 1:].ravel(), (np.diff(distances, axis=1) * before[:, 1:]).ravel()
    order = np.argsort(levels, kind="stable")
    paid = alignment_weight * np.cumsum(extra[order])
    place = int(np.searchsorted(paid, (1.0 - alignment_weight) * len(distances)))
    level = levels[order[min(place, len(order) - 1)]] if len(order) else 1.0
    mass = np.minimum(portions / level, np.maximum(1.0 - before / level, 0.0))
    mass[:, -1] += np.maximum(1.0 - mass.sum(axis=1), 0.0)
    return mass
