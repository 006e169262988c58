"""Numbers of any origin as numpy arrays."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray


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
