"""LESS (Xia et al., 2024, arXiv 2402.04333): the samples whose gradients point where validation gradients point."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from typing_extensions import Doc

from coresift.compute import resolve_device
from coresift.selection.budgets import best_first, tie_ranks
from coresift.selection.candidate_pool import CandidatePool
from coresift.selection.nearness import (
    SubtasksOption,
    largest_alignment,
    round_robin,
    subtask_inputs,
    subtask_targets,
    unit_rows,
)
from coresift.selection.selector import Budget, DeviceName, RandomState, Selection, Selector, train_and_validation


class LessSelector(Selector):
    """Scores a candidate by the inner product of its projected, normalized LoRA gradient with those of subtasks.

    The paper averages over the validation samples of a subtask and takes the best subtask of each candidate; a round
    robin in which subtasks take turns is the better of the two at small budgets (arXiv 2602.14696). Where the paper
    sums over checkpoints and preconditions with Adam's moments, the gradient features of attribution are taken as
    they are.
    """

    def __init__(
        self,
        budget: Budget = 1024,
        *,
        aggregation: Annotated[Literal["max", "round_robin"], Doc("The highest scores, or subtasks in turn.")] = "max",
        subtasks: SubtasksOption = "sample",
        random_state: RandomState = 0,
        device: DeviceName = "auto",
    ) -> None:
        self.budget = budget
        self.aggregation = aggregation
        self.subtasks = subtasks
        self.random_state = random_state
        self.device = device

    @property
    def reads(self) -> tuple[str, ...]:
        """The inputs of a pool that are looked at with these options."""
        return subtask_inputs(self.subtasks)

    def _select(self, pool: CandidatePool) -> Selection:
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
