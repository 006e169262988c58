"""Numbers of any origin, type and size as numpy arrays that can be computed with."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

LARGEST_EXACT_INTEGER = 2**24
"""Integers up to this one are exact in float32."""
SMALLEST_USUAL, LARGEST_USUAL = 1e-12, 1e15
"""Between these, squares of float32 numbers and their sums neither vanish nor overflow."""


def as_numpy(values: ArrayLike | torch.Tensor) -> NDArray:
    """Return numbers as a numpy array, wherever they lie and whatever type they have.

    Args:
        values: An array, a sequence, or a tensor on any device, with or without a gradient; floating-point types that
            numpy does not have, such as bfloat16, become float32, which holds all their values.

    Raises:
        ValueError: If they are no real numbers.
    """
    if isinstance(values, torch.Tensor):
        tensor = values.detach().cpu()
        known = not tensor.is_floating_point() or tensor.dtype in (torch.float16, torch.float32, torch.float64)
        array = (tensor if known else tensor.float()).numpy()
    else:
        array = np.asarray(values)
    if array.dtype.kind == "O":
        array = array.astype(np.float64)
    if array.dtype.kind not in "buif":
        raise ValueError(f"values of type {array.dtype} are no real numbers: pass integers or floating-point numbers.")
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def as_floats(values: ArrayLike | torch.Tensor) -> NDArray:
    """Return numbers as float32 or float64: those types stay, others become the smaller one that holds all values.

    Args:
        values: As :func:`as_numpy` takes them.

    Raises:
        ValueError: If they are no real numbers.
    """
    array = as_numpy(values)
    if array.dtype in (np.float32, np.float64):
        return array
    is_exact = array.dtype.kind == "b" or array.dtype == np.float16
    if array.dtype.kind in "ui":
        bounds = -LARGEST_EXACT_INTEGER, LARGEST_EXACT_INTEGER
        is_exact = not array.size or bool(array.min() >= bounds[0] and array.max() <= bounds[1])
    return array.astype(np.float32 if is_exact else np.float64)


def unit_of(*matrices: NDArray | torch.Tensor) -> float:
    """Return a power of two near the largest number, where squares of the numbers would overflow or vanish; else 1.

    Args:
        matrices: Finite numbers that are measured together.
    """
    largest = max(max(float(part.max()), -float(part.min())) for part in matrices)
    if not largest or SMALLEST_USUAL <= largest <= LARGEST_USUAL:
        return 1.0
    return math.ldexp(1.0, math.frexp(largest)[1] - 1)


def in_common_unit(*matrices: NDArray) -> tuple[tuple[NDArray, ...], float]:
    """Return matrices divided by their :func:`unit_of`, and that unit; as they are where the unit is 1.

    Args:
        matrices: Finite numbers that are measured together.

    Returns:
        The matrices, float64 where they were divided, and the unit in which lengths and distances come out.
    """
    unit = unit_of(*matrices)
    if unit == 1.0:
        return matrices, unit
    return tuple(part.astype(np.float64) / unit for part in matrices), unit
