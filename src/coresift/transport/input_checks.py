"""Checks of what a cost and a search are given; every error says what is wrong and what to do."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from coresift.compute import as_floats, as_numpy

FLOAT32_SUM = 2e-6
"""How far the sum of masses that were divided by it in float32 may be from 1."""


def as_rows(values: ArrayLike | torch.Tensor, name: str) -> torch.Tensor:
    """Check a representation.

    Args:
        values: (N, d) numbers.
        name: What the representation is called in an error.

    Returns:
        (N, d) float32, or float64 where that was given or integers need it.

    Raises:
        ValueError: If there is no row or no dimension, or a value is not finite.
    """
    if isinstance(values, torch.Tensor) and values.is_floating_point():
        tensor = values.detach()
    else:
        tensor = torch.as_tensor(np.ascontiguousarray(as_floats(values)))
    if tensor.ndim != 2 or 0 in tensor.shape:
        raise ValueError(f"{name} has shape {tuple(tensor.shape)}: it needs at least one row and one dimension.")
    tensor = tensor if tensor.dtype in (torch.float32, torch.float64) else tensor.to(torch.float32)
    if not all(bool(torch.isfinite(chunk).all()) for chunk in tensor.split(2**14)):
        raise ValueError(f"{name} holds values that are not finite: remove those rows or repair the representation.")
    return tensor


def as_norms(values: ArrayLike | torch.Tensor | None, n_rows: int) -> torch.Tensor:
    """Check gradient norms.

    Args:
        values: (T,) norms, or None for zeros.
        n_rows: How many rows there are, T.

    Returns:
        (T,) float64 norms.

    Raises:
        ValueError: If there is not one per row, or one is negative or not finite.
    """
    if values is None:
        return torch.zeros(n_rows, dtype=torch.float64)
    norms = torch.tensor(as_numpy(values), dtype=torch.float64)
    if norms.shape != (n_rows,):
        raise ValueError(f"gradient_norms has shape {tuple(norms.shape)}: it needs one norm per row, ({n_rows},).")
    if not bool(torch.isfinite(norms).all()) or bool((norms < 0).any()):
        raise ValueError("gradient_norms holds values that are negative or not finite: norms cannot be either.")
    return norms


def scaled_norms(norms: torch.Tensor, weight: float, scale: float) -> torch.Tensor:
    """Return what norms are worth in a cost.

    Args:
        norms: (T,) float64.
        weight: What one as large as the scale is worth.
        scale: The norm of that worth; where it is 0, none is worth anything.

    Returns:
        (T,) float64, also where the norms are tiny.
    """
    if not scale > 0:
        return 0.0 * norms
    factor = weight / scale
    return norms * factor if np.isfinite(factor) else norms / scale * weight


def check_scale(name: str, value: float | None) -> None:
    """Check a number that costs are divided by.

    Args:
        name: What the scale is called in an error.
        value: The scale, or None for one that is computed.

    Raises:
        ValueError: If it is not finite, or not above 0.
    """
    if value is not None and not (np.isfinite(value) and value > 0):
        raise ValueError(f"{name} is {value}: it must be finite and above 0, or None to compute it.")


def as_positions(values: ArrayLike | None, n_rows: int, name: str) -> NDArray[np.int64]:
    """Check a set of row positions.

    Args:
        values: Positions, or None for none.
        n_rows: How many rows there are.
        name: What the set is called in an error.

    Returns:
        (k,) int64 positions in the order given.

    Raises:
        ValueError: If a position is out of range or given twice.
    """
    positions = np.asarray([] if values is None else values, dtype=np.int64).reshape(-1)
    if positions.size and (positions.min() < 0 or positions.max() >= n_rows):
        raise ValueError(f"{name} names rows outside 0..{n_rows - 1}.")
    if len(np.unique(positions)) != len(positions):
        raise ValueError(f"{name} names a row twice: every row can be chosen once.")
    return positions


def fixed_and_excluded(
    fixed: ArrayLike | None, exclude: ArrayLike | None, *, n_rows: int, budget: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Check the rows that a selection has to hold and those that it must not hold.

    Args:
        fixed: Positions that stay in the selection, or None.
        exclude: Positions that never enter it, or None.
        n_rows: How many rows there are.
        budget: How many rows are selected.

    Returns:
        Both sets as int64 positions, in the orders given.

    Raises:
        ValueError: If a position is out of range or given twice, or no selection satisfies both sets.
    """
    fixed_rows, excluded = as_positions(fixed, n_rows, "fixed"), as_positions(exclude, n_rows, "exclude")
    if np.intersect1d(fixed_rows, excluded).size:
        raise ValueError("fixed and exclude share rows: a row cannot be both kept and left out.")
    if budget < 1:
        raise ValueError(f"budget {budget} < 1: raise selection.budget.")
    if len(fixed_rows) > budget:
        raise ValueError(f"{len(fixed_rows)} fixed rows > budget {budget}: raise selection.budget.")
    if budget > n_rows - len(excluded):
        raise ValueError(f"budget {budget} > {n_rows - len(excluded)} candidates: lower selection.budget.")
    return fixed_rows, excluded


def as_masses(
    shape: tuple[int, int], source: ArrayLike | torch.Tensor | None, target: ArrayLike | torch.Tensor | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Check masses and make their sums equal.

    Args:
        shape: How many sources and targets there are.
        source: Masses of the sources, or None for equal ones.
        target: Masses of the targets, or None for equal ones.

    Returns:
        Masses for the solver, and the size of its unit. Equal masses become whole numbers, which add up exactly.

    Raises:
        ValueError: If a mass is negative or not finite, or the sums differ by more than their type's rounding.
    """
    n_sources, n_targets = shape
    if source is None and target is None:
        divisor = int(np.gcd(n_sources, n_targets))
        whole = np.full(n_sources, n_targets / divisor), np.full(n_targets, n_sources / divisor)
        return *whole, divisor / (n_sources * n_targets)
    tolerance = max(_sum_rounding(mass) for mass in (source, target))
    given = [
        np.full(size, 1.0 / size) if mass is None else as_numpy(mass).astype(np.float64)
        for mass, size in ((source, n_sources), (target, n_targets))
    ]
    for mass, size, name in ((given[0], n_sources, "source_mass"), (given[1], n_targets, "target_mass")):
        if mass.shape != (size,) or not np.isfinite(mass).all() or (mass < 0).any():
            raise ValueError(f"{name} must hold {size} finite masses that are not negative.")
    totals = given[0].sum(), given[1].sum()
    if not 0 < totals[0] < np.inf or not abs(totals[0] - totals[1]) <= tolerance * totals[0]:
        raise ValueError(f"source_mass sums to {totals[0]} and target_mass to {totals[1]}: both need one positive sum.")
    return given[0] / totals[0], given[1] / totals[1], float(totals[0])


def _sum_rounding(mass: ArrayLike | torch.Tensor | None) -> float:
    """How far masses may be from their sum, relative to it, because they were divided by it in their type."""
    rounding = 0.0
    if isinstance(mass, torch.Tensor) and mass.is_floating_point():
        rounding = torch.finfo(mass.dtype).eps
    elif isinstance(mass, np.ndarray) and mass.dtype.kind == "f":
        rounding = float(np.finfo(mass.dtype).eps)
    return max(2.0 * rounding, FLOAT32_SUM)
