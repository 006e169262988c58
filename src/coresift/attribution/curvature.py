"""The curvature matrix of influence functions, and ways to solve with it: Cholesky, conjugate gradients, LiSSA."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor

from coresift.attribution.linear_gradients import HeldCalls, sample_gradients, sample_products, weighted_sum

CURVATURES = ("fisher", "hessian")
LARGEST_WHOLE_MATRIX = {"fisher": 8192, "hessian": 1024}
"""Largest D for which C may be formed: 512 MB in float64, and D backward passes a batch for the Hessian."""
DIAGONAL_PROBES = 16
DEFAULT_DAMPING = 0.1
"""Share of the mean diagonal of C."""


class Curvature:
    """C: the empirical Fisher matrix (mean outer product of sample gradients) or the Hessian of the mean loss.

    A Fisher matrix is applied through the factors of the gradients and formed for a dense solve only; a Hessian small
    enough is formed, as every product with it costs two backward passes over the data.

    Args:
        gradients: The training samples' gradients.
        kind: ``fisher`` or ``hessian``.
        damping: Absolute ridge; None takes a tenth of the mean diagonal of C, whatever its sign: where a loss is bent
            downwards a Hessian's is negative, and a negative ridge would bend it further.

    Raises:
        ValueError: If the kind is unknown or the damping negative.
    """

    def __init__(self, gradients: HeldCalls, *, kind: str, damping: float | None) -> None:
        if kind not in CURVATURES:
            raise ValueError(f"curvature is '{kind}': use one of {', '.join(CURVATURES)}")
        if damping is not None and damping < 0:
            raise ValueError(f"damping is {damping}: it must not be negative")
        self.gradients = gradients
        self.problem = gradients.problem
        self.kind = kind
        self.damping = DEFAULT_DAMPING * abs(self.mean_diagonal()) if damping is None else damping

    @cached_property
    def matrix(self) -> Tensor | None:
        """C in float64, or None where it is too large."""
        if self.problem.n_parameters > LARGEST_WHOLE_MATRIX[self.kind]:
            return None
        return self.problem.hessian(self.gradients.batches) if self.kind == "hessian" else self._whole_fisher()

    def damped_product(self, vector: Tensor) -> Tensor:
        """Return (C + damping I) times a float64 vector (D,)."""
        return self.product(vector) + self.damping * vector

    def product(self, vector: Tensor) -> Tensor:
        """Return C times a float64 vector (D,)."""
        if self.kind == "hessian":
            whole = self.matrix
            return self.problem.hessian_product(self.gradients.batches, vector) if whole is None else whole @ vector
        total, count = torch.zeros_like(vector), 0
        for calls in self.gradients:
            products = sample_products(calls, vector)
            total += weighted_sum(calls, products).cpu().double()
            count += len(products)
        return total / max(count, 1)

    def mean_diagonal(self) -> float:
        """Mean of the diagonal of C; for a Hessian too large to hold, Hutchinson's estimate from seeded probes."""
        if self.kind == "fisher":
            squares = torch.cat(
                [torch.zeros(0).double()]
                + [sample_gradients(calls).square().sum(1).cpu().double() for calls in self.gradients]
            )
            if not len(squares):
                raise ValueError("batches holds no sample to score: pass at least one batch")
            return float(squares.mean()) / self.problem.n_parameters
        if self.matrix is not None:
            return float(self.matrix.diagonal().mean())
        generator = torch.Generator().manual_seed(0)
        probes = torch.randint(2, (DIAGONAL_PROBES, self.problem.n_parameters), generator=generator).double() * 2 - 1
        return sum(float((probe * self.product(probe)).mean()) for probe in probes) / DIAGONAL_PROBES

    def _whole_fisher(self) -> Tensor:
        size = self.problem.n_parameters
        total, count = torch.zeros(size, size, dtype=torch.float64), 0
        for calls in self.gradients:
            wide = sample_gradients(calls).cpu().double()
            total.addmm_(wide.T, wide)
            count += len(wide)
        return total / max(count, 1)


CG_STEPS = 500
CG_TOLERANCE = 1e-6
LISSA_STEPS = 5000
LISSA_TOLERANCE = 1e-4
POWER_STEPS = 50
SCALE_MARGIN = 1.1


def solve_dense(curvature: Curvature, right: Tensor) -> Tensor:
    """Solve by Cholesky factors of the whole matrix.

    Raises:
        ValueError: If the matrix is too large to hold, or not positive definite.
    """
    if curvature.matrix is None:
        size = curvature.problem.n_parameters
        raise ValueError(f"solver 'dense' would hold a {size} x {size} {curvature.kind}: use solver 'cg'")
    damped = curvature.matrix + curvature.damping * torch.eye(len(right), dtype=right.dtype)
    factor, failed = torch.linalg.cholesky_ex(damped)
    if failed:
        raise ValueError(_raise_damping(curvature))
    return torch.cholesky_solve(right.unsqueeze(1), factor).squeeze(1)


def solve_cg(curvature: Curvature, right: Tensor) -> Tensor:
    """Solve by conjugate gradients (Hestenes and Stiefel, 1952), to a relative residual of 1e-6.

    Raises:
        ValueError: If a direction of negative curvature is met.
    """
    solution, residual = torch.zeros_like(right), right.clone()
    direction, squared = residual.clone(), residual.dot(residual)
    goal = (CG_TOLERANCE * right.norm()).square()
    for _ in range(CG_STEPS):
        if squared <= goal:
            break
        product = curvature.damped_product(direction)
        bend = direction.dot(product)
        if bend <= 0:
            raise ValueError(_raise_damping(curvature))
        step = squared / bend
        solution += step * direction
        residual -= step * product
        before, squared = squared, residual.dot(residual)
        direction = residual + (squared / before) * direction
    return solution


def solve_lissa(curvature: Curvature, right: Tensor) -> Tensor:
    """Solve by the recursion of LiSSA (arXiv 1602.03943), with the whole of C at every step instead of one sample's.

    The scale that keeps the recursion stable is 1.1 times the largest eigenvalue, from power iterations.

    Raises:
        ValueError: If the recursion diverges, which it does where C + damping I is not positive definite.
    """
    if not right.any():
        return torch.zeros_like(right)
    scale = SCALE_MARGIN * _largest_eigenvalue(curvature, len(right))
    solution = right / scale
    for _ in range(LISSA_STEPS):
        residual = right - curvature.damped_product(solution)
        size = float(residual.norm() / right.norm())
        if size <= LISSA_TOLERANCE:
            break
        if size > 1 / LISSA_TOLERANCE or size != size:
            raise ValueError(_raise_damping(curvature))
        solution += residual / scale
    return solution


def _largest_eigenvalue(curvature: Curvature, size: int) -> float:
    vector = torch.randn(size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    value = torch.tensor(0.0)
    for _ in range(POWER_STEPS):
        vector = curvature.damped_product(vector / vector.norm())
        value = vector.norm()
    return float(value)


def _raise_damping(curvature: Curvature) -> str:
    return f"{curvature.kind} + {curvature.damping:.3g} I is not positive definite: raise damping, or use 'fisher'"


SOLVERS: dict[str, Callable[[Curvature, Tensor], Tensor]] = {
    "dense": solve_dense,
    "cg": solve_cg,
    "lissa": solve_lissa,
}
