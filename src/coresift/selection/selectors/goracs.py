"""GORACS (arXiv 2506.04015): the selection nearest to the validation samples in optimal-transport cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Gt, Le
from numpy.typing import ArrayLike, NDArray
from typing_extensions import Doc

from coresift.compute import progress_bar
from coresift.selection.budgets import label_budgets
from coresift.selection.candidate_pool import CandidatePool, RepresentationOption
from coresift.selection.selector import Budget, DeviceName, RandomState, Selection, Selector, both_sides
from coresift.selection.selectors.goracs_cost import GradientTerm, GradientWeight, cost_inputs, goracs_cost
from coresift.transport import BlockCost, KMedoidsResult, balanced_k_medoids, fixed_and_excluded


@contextmanager
def shown_progress(description: str, max_solves: int) -> Iterator[Callable[[dict[str, float]], None]]:
    """Show a bar over the transport solves of a search, with its objective and gap.

    Args:
        description: A word in front of the bar.
        max_solves: Where the bar ends.

    Yields:
        What to pass as `on_progress`.
    """
    with progress_bar(range(max_solves), description=description) as bar:

        def show(report: dict[str, float]) -> None:
            bar.set_postfix(objective=f"{report['objective']:.4f}", gap=f"{report['gap']:.4f}", refresh=False)
            bar.update(int(report["n_transport_solves"]) - bar.n)

        yield show


@dataclass(frozen=True)
class _Part:
    """A class of samples that is selected for by itself, or all of them."""

    rows: NDArray[np.int64]
    targets: NDArray[np.int64]
    budget: int


class GoracsSelector(Selector):
    """Chooses the samples whose uniform mass is cheapest to move onto the validation samples.

    The cost of a pair is the distance of their representations, less `gradient_weight` times the gradient norm of
    the training sample (Eq. 10), which rewards samples that still teach something. With `by_label` the budget is
    shared among the classes as in the validation samples, and each class is selected for by itself in common units
    (Algorithm 2, for any number of classes). Only candidates of classes that validation samples have take part then: a
    budget above their number is an error even where the pool is larger, and so is a fixed row of another class.
    """

    handled_elsewhere = (*Selector.handled_elsewhere, "fixed", "exclude")

    def __init__(
        self,
        budget: Budget = 1024,
        *,
        gradient_weight: GradientWeight = 0.1,
        gradient_term: Annotated[
            GradientTerm, Doc("What is rewarded: the gradient norm, or alignment with the mean validation gradient.")
        ] = "norm",
        representation: RepresentationOption = "embedding",
        state_weight: Annotated[
            float,
            Ge(0),
            Le(1),
            Doc("Share of the surrogate states in the squared distance, beside the representation."),
        ] = 0.0,
        by_label: Annotated[bool, Doc("Select within classes, with the class shares of validation.")] = False,
        method: Annotated[
            Literal["certified", "itra", "itra_released"],
            Doc("Ours, the paper's algorithm as intended, or as its released code behaves."),
        ] = "certified",
        max_solves: Annotated[int, Ge(1), Doc("Transport problems to solve at most, for every class.")] = 300,
        time_limit: Annotated[
            float | None, Gt(0), Doc("Seconds after which the best so far is taken, for every class; null: no limit.")
        ] = None,
        fixed: Annotated[ArrayLike | None, Doc("Positions that stay selected, for refreshing a coreset.")] = None,
        exclude: Annotated[ArrayLike | None, Doc("Positions that are never selected.")] = None,
        random_state: RandomState = 0,
        device: DeviceName = "auto",
    ) -> None:
        self.budget = budget
        self.gradient_weight = gradient_weight
        self.gradient_term = gradient_term
        self.representation = representation
        self.state_weight = state_weight
        self.by_label = by_label
        self.method = method
        self.max_solves = max_solves
        self.time_limit = time_limit
        self.fixed = fixed
        self.exclude = exclude
        self.random_state = random_state
        self.device = device

    @property
    def reads(self) -> tuple[str, ...]:
        """The inputs of a pool that are looked at with these options."""
        labels = both_sides("label") if self.by_label else ()
        return labels + cost_inputs(
            self.representation,
            state_weight=self.state_weight,
            gradient_term=self.gradient_term,
            gradient_weight=self.gradient_weight,
        )

    def _select(self, pool: CandidatePool) -> Selection:
        fixed, excluded = fixed_and_excluded(self.fixed, self.exclude, n_rows=len(pool), budget=self.budget)
        cost, parts = self._cost(pool), self._parts(pool, fixed, excluded)
        n_served = sum(len(part.targets) for part in parts)
        indices, weights, scores, results = [], [], np.full(len(pool), np.nan), []
        for part in parts:
            own = cost if len(parts) == 1 and not self.by_label else cost.subset(part.rows, part.targets)
            result = self._search(own, part, fixed, excluded)
            indices.append(part.rows[result.indices])
            share = len(part.targets) / n_served
            weights.append(served_shares(own, result.indices) * share * self.budget / part.budget)
            scores[part.rows] = -result.reduced_values
            results.append((share, result))
        chosen, mass = np.concatenate(indices), np.concatenate(weights)
        order = np.lexsort((chosen, -scores[chosen], -mass))
        return Selection(chosen[order], scores, mass[order], False, self._figures(results, cost, parts))

    def _cost(self, pool: CandidatePool) -> BlockCost:
        return goracs_cost(
            pool,
            representation=self.representation,
            state_weight=self.state_weight,
            gradient_term=self.gradient_term,
            gradient_weight=self.gradient_weight,
            device=self.device,
        )

    def _parts(self, pool: CandidatePool, fixed: NDArray[np.int64], excluded: NDArray[np.int64]) -> list[_Part]:
        if not self.by_label:
            return [_Part(np.arange(len(pool)), np.arange(pool.n_validation), self.budget)]
        label, validation_label = pool.require("label"), pool.require("validation_label")
        homeless = fixed[~np.isin(label[fixed], validation_label)]
        if len(homeless):
            raise ValueError(
                f"fixed names rows {homeless.tolist()}, whose labels no validation sample has: "
                "leave them out or select without labels."
            )
        allowed = np.setdiff1d(np.arange(len(pool)), excluded)
        kept = np.isin(allowed, fixed).nonzero()[0]
        budgets = label_budgets(label[allowed], validation_label, self.budget, kept)
        return [
            _Part(np.flatnonzero(label == one), np.flatnonzero(validation_label == one), budget)
            for one, budget in budgets.items()
            if budget
        ]

    def _search(
        self, cost: BlockCost, part: _Part, fixed: NDArray[np.int64], excluded: NDArray[np.int64]
    ) -> KMedoidsResult:
        with shown_progress("Selecting", self.max_solves) as on_progress:
            return balanced_k_medoids(
                cost,
                part.budget,
                method=self.method,
                random_state=self.random_state,
                max_solves=self.max_solves,
                time_limit=self.time_limit,
                fixed=np.flatnonzero(np.isin(part.rows, fixed)),
                exclude=np.flatnonzero(np.isin(part.rows, excluded)),
                on_progress=on_progress,
            )

    def _figures(
        self, results: list[tuple[float, KMedoidsResult]], cost: BlockCost, parts: list[_Part]
    ) -> dict[str, Any]:
        objective = sum(share * result.objective for share, result in results)
        bound = sum(share * result.lower_bound for share, result in results)
        reference = objective + self.gradient_weight
        return {
            "validation_samples": cost.n_targets,
            "objective": objective,
            "lower_bound": bound,
            "gap": objective - bound,
            "gap_percent": 100.0 * (objective - bound) / reference if reference > 0 else 0.0,
            "certified": all(result.certified for _, result in results),
            "transport_solves": sum(result.n_transport_solves for _, result in results),
            "distance_scale": cost.distance_scale,
            "class_budgets": [part.budget for part in parts],
            "descent": _joint_descent(results),
        }


def served_shares(cost: BlockCost, selected: NDArray[np.int64]) -> NDArray[np.float64]:
    """How much of the validation mass is nearest to each selected row, which is transport with free row masses.

    Args:
        cost: The cost of T candidates.
        selected: (n,) selected rows.

    Returns:
        (n,) shares with mean 1; the lowest position wins a tie.
    """
    nearest, owner = np.full(cost.n_targets, np.inf), np.zeros(cost.n_targets, dtype=np.int64)
    done = 0
    for rows, block in cost.blocks(selected):
        costs = block.cpu().numpy()
        place = costs.argmin(axis=0)
        least = costs.min(axis=0)
        closer = least < nearest
        nearest[closer], owner[closer] = least[closer], done + place[closer]
        done += len(rows)
    counts = np.bincount(owner, minlength=len(selected)).astype(np.float64)
    return counts * (len(selected) / cost.n_targets)


def _joint_descent(results: list[tuple[float, KMedoidsResult]]) -> list[list[float]]:
    """(seconds, objective) of all classes together, one class after the other."""
    current = [share * result.trace[0][1] for share, result in results]
    points: list[list[float]] = []
    before = 0.0
    for place, (share, result) in enumerate(results):
        for seconds, objective in result.trace:
            current[place] = share * objective
            points.append([before + seconds, sum(current)])
        before += result.trace[-1][0]
    return points
