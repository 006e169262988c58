"""LESS (Xia et al., 2024, arXiv 2402.04333): the samples whose gradients point where validation gradients point."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from coresift.compute import resolve_device
from coresift.selection.budgets import best_first, tie_ranks
from coresift.selection.candidate_pool import CandidatePool
from coresift.selection.nearness import largest_alignment, round_robin, subtask_targets, unit_rows
from coresift.selection.selector import Selection, Selector, check_choice, train_and_validation

AGGREGATIONS = ("max", "round_robin")


class LessSelector(Selector):
    """Scores a candidate by the inner product of its projected, normalised LoRA gradient with those of subtasks.

    The paper averages over the validation samples of a subtask and takes the best subtask of each candidate; a round
    robin in which subtasks take turns is the better of the two at small budgets (arXiv 2602.14696). Where the paper
    sums over checkpoints and preconditions with Adam's moments, the gradient features of attribution are taken as
    they are.

    Args:
        budget: how many candidates to select.
        aggregation: "max" (the highest scores) or "round_robin".
        subtasks: "sample" (each validation sample for itself) or "label" (the mean of each class).
        random_state: decides between equal scores, and the order in which subtasks choose.
        device: "auto", "cpu", "cuda" or "mps".
    """

    def __init__(
        self,
        budget: int = 1024,
        *,
        aggregation: str = "max",
        subtasks: str = "sample",
        random_state: int = 0,
        device: str = "auto",
    ) -> None:
        self.budget = budget
        self.aggregation = aggregation
        self.subtasks = subtasks
        self.random_state = random_state
        self.device = device

    def _select(self, pool: CandidatePool) -> Selection:
        check_choice("aggregation", self.aggregation, AGGREGATIONS)
        train, valid = train_and_validation(pool, "gradient_feature")
        rows, targets = unit_rows(train), subtask_targets(pool, unit_rows(valid), self.subtasks)
        if self.aggregation == "round_robin":
            chosen, scores = self._round_robin(rows, targets)
        else:
            scores = largest_alignment(rows, targets, device=self.device)
            chosen = best_first(scores, tie_ranks(len(pool), self.random_state))[: self.budget]
        return Selection(chosen, scores, is_prefix_valid=True, figures={"subtasks": len(targets)})

    def _round_robin(self, rows: NDArray, targets: NDArray) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        place = resolve_device(self.device)
        columns, directions = torch.as_tensor(rows).to(place).T, torch.as_tensor(targets).to(place)

        def closeness(subtasks: NDArray[np.int64]) -> torch.Tensor:
            return directions[torch.as_tensor(subtasks, device=place)] @ columns

        return round_robin(closeness, len(targets), len(rows), self.budget, self.random_state)
