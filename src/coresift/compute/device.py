"""Turn the shared parameters ``device``, ``dtype`` and ``threads`` into what torch understands."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager

import torch
from threadpoolctl import threadpool_limits

FOUR_BITS = "nf4"
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, FOUR_BITS: torch.bfloat16}
"""Precision of products by name; with ``nf4`` the base model's weights take four bits each."""


def resolve_device(name: str = "auto") -> torch.device:
    """Return the device called ``name``.

    Args:
        name: ``cpu``, ``cuda``, ``mps``, or ``auto`` for the fastest one present.

    Raises:
        ValueError: If the device does not exist on this machine.
    """
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(candidate for candidate, exists in present.items() if exists))
    if not present.get(name, False):
        raise ValueError(f"device '{name}' is not available here: set device to 'auto' or 'cpu'")
    return torch.device(name)


def resolve_dtype(name: str, device: torch.device) -> torch.dtype:
    """Return the floating-point type of products called ``name``.

    Args:
        name: ``float32``, ``bfloat16``, ``nf4`` (products in bfloat16), or ``auto``: bfloat16 on a GPU that
            computes in it, float32 otherwise, so that results on a CPU do not depend on its generation.
        device: Where the numbers will live.

    Raises:
        ValueError: If the name is unknown.
    """
    if name == "auto":
        fast = device.type == "cuda" and torch.cuda.is_bf16_supported()
        return torch.bfloat16 if fast else torch.float32
    if name not in DTYPES:
        raise ValueError(f"unknown dtype '{name}': use auto, {', '.join(DTYPES)}")
    return DTYPES[name]


def compute_facts(device: str, dtype: str, n_threads: int) -> tuple[str, str, int]:
    """Return what the last digits of a result depend on: kind of device, precision and number of threads.

    Args:
        device: As ``resolve_device`` takes it.
        dtype: As ``resolve_dtype`` takes it.
        n_threads: As ``use_threads`` returns it.

    Raises:
        ValueError: As the two raise.
    """
    place = resolve_device(device)
    return place.type, f"{dtype if dtype == FOUR_BITS else ''} {resolve_dtype(dtype, place)}", n_threads


def use_threads(count: int) -> int:
    """Let torch use ``count`` threads (0: one per core this process may run on) and return the number chosen."""
    chosen = count or _available_cores()
    torch.set_num_threads(chosen)
    return chosen


def one_openmp_thread() -> AbstractContextManager[object]:
    """Keep scikit-learn to one thread: several add up, such as centers of k-means, in the order they finish."""
    return threadpool_limits(limits=1, user_api="openmp")


def _available_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
