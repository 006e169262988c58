"""Three ways to solve (C + damping I) x = v: Cholesky, conjugate gradients, LiSSA."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from coresift.attribution.curvature import Curvature

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
