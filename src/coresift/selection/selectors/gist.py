"""GIST (Min et al., 2026, arXiv 2602.18584): alignment within the subspace that validation gradients span."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Ge
from numpy.typing import NDArray
from typing_extensions import Doc

from coresift.compute import in_common_unit
from coresift.selection.candidate_pool import CandidatePool
from coresift.selection.nearness import SubtasksOption, largest_alignment, subtask_inputs, subtask_targets, unit_rows
from coresift.selection.selector import Budget, DeviceName, RandomState, ScoreSelector, train_and_validation


class GistSelector(ScoreSelector):
    """Scores a candidate by the cosine to the nearest subtask, in the leading subspace of the validation gradients.

    The subspace is that of the largest singular values of the validation gradients, not centered; candidates and
    validation samples are projected on it, subtasks are means of projected gradients, and the score is the largest
    cosine (as in the authors' code, github.com/GuanghuiMin/GIST). Coupled directions of LoRA's two factors stay
    together where a diagonal preconditioner would scale them apart. The paper decomposes whole gradients; here they
    have been projected at random before, which keeps inner products up to noise.
    """

    def __init__(
        self,
        budget: Budget = 1024,
        *,
        rank: Annotated[
            int, Ge(1), Doc("Dimensions of the subspace; the rank of the validation gradients where that is less.")
        ] = 150,
        subtasks: SubtasksOption = "sample",
        random_state: RandomState = 0,
        device: DeviceName = "auto",
    ) -> None:
        self.budget = budget
        self.rank = rank
        self.subtasks = subtasks
        self.random_state = random_state
        self.device = device

    @property
    def reads(self) -> tuple[str, ...]:
        """The inputs of a pool that are looked at with these options."""
        return subtask_inputs(self.subtasks)

    def _scores(self, pool: CandidatePool) -> NDArray[np.float64]:
        (train, valid), _ = in_common_unit(*train_and_validation(pool, "gradient_feature"))
        basis = leading_directions(valid, self.rank)
        targets = subtask_targets(pool, valid @ basis, self.subtasks)
        return largest_alignment(unit_rows(train @ basis), unit_rows(targets), device=self.device)


def leading_directions(rows: NDArray, rank: int) -> NDArray:
    """Return the right singular vectors of the largest singular values, at most as many as the rows have rank.

    Args:
        rows: (V, k), not centered.
        rank: How many directions.

    Returns:
        (k, r) orthonormal columns, the largest singular value first.
    """
    exact = rows.astype(np.float64)
    # The eigenvectors of the small Gram matrix are the right singular vectors.
    squares, vectors = np.linalg.eigh(exact.T @ exact)
    squares, vectors = squares[::-1], vectors[:, ::-1]
    known = int((squares > squares[0] * len(squares) * np.finfo(np.float64).eps).sum())
    return vectors[:, : max(1, min(rank, known))].astype(rows.dtype)
