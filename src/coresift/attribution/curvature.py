"""The curvature matrix of influence functions, held whole where it is small and applied by passes where it is not."""

from __future__ import annotations

import logging

import torch
from torch import Tensor

from coresift.attribution.linear_gradients import Batches, LinearProblem

logger = logging.getLogger(__name__)

CURVATURES = ("fisher", "hessian")
LARGEST_WHOLE_MATRIX = {"fisher": 8192, "hessian": 1024}
"""Largest D for which C is formed: 512 MB in float64, and D backward passes a batch for the Hessian."""
DIAGONAL_PROBES = 16
DEFAULT_DAMPING = 0.1
"""Share of the mean diagonal of C."""


class Curvature:
    """C: the empirical Fisher matrix (mean outer product of sample gradients) or the Hessian of the mean loss.

    Args:
        problem: Layer and loss.
        batches: Re-iterable batches of the training samples.
        kind: ``fisher`` or ``hessian``.
        damping: Absolute ridge; None takes a tenth of the mean diagonal of C.

    Raises:
        ValueError: If the kind is unknown or the damping negative.
    """

    def __init__(self, problem: LinearProblem, batches: Batches, *, kind: str, damping: float | None) -> None:
        if kind not in CURVATURES:
            raise ValueError(f"curvature is '{kind}': use one of {', '.join(CURVATURES)}")
        if damping is not None and damping < 0:
            raise ValueError(f"damping is {damping}: it must not be negative")
        self.problem = problem
        self.batches = batches
        self.kind = kind
        self.matrix = self._whole() if problem.n_parameters <= LARGEST_WHOLE_MATRIX[kind] else None
        self.damping = DEFAULT_DAMPING * self.mean_diagonal() if damping is None else damping

    def damped_product(self, vector: Tensor) -> Tensor:
        """Return (C + damping I) times a float64 vector (D,)."""
        return self.product(vector) + self.damping * vector

    def product(self, vector: Tensor) -> Tensor:
        """Return C times a float64 vector (D,)."""
        if self.matrix is not None:
            return self.matrix @ vector
        if self.kind == "hessian":
            return self.problem.hessian_product(self.batches, vector)
        total, count = torch.zeros_like(vector), 0
        for gradients in self.problem.sample_gradients(self.batches):
            total += (gradients.T @ (gradients @ vector.to(gradients))).double().cpu()
            count += len(gradients)
        return total / max(count, 1)

    def mean_diagonal(self) -> float:
        """Mean of the diagonal of C; for a Hessian too large to hold, Hutchinson's estimate from seeded probes."""
        if self.matrix is not None:
            return float(self.matrix.diagonal().mean())
        if self.kind == "fisher":
            squares = torch.cat([g.square().sum(1).double() for g in self.problem.sample_gradients(self.batches)])
            return float(squares.mean()) / self.problem.n_parameters
        generator = torch.Generator().manual_seed(0)
        probes = torch.randint(2, (DIAGONAL_PROBES, self.problem.n_parameters), generator=generator).double() * 2 - 1
        return sum(float((probe * self.product(probe)).mean()) for probe in probes) / DIAGONAL_PROBES

    def _whole(self) -> Tensor:
        if self.kind == "hessian":
            return self.problem.hessian(self.batches)
        size = self.problem.n_parameters
        total, count = torch.zeros(size, size, dtype=torch.float64), 0
        for gradients in self.problem.sample_gradients(self.batches):
            wide = gradients.double().cpu()
            total.addmm_(wide.T, wide)
            count += len(wide)
        return total / max(count, 1)
