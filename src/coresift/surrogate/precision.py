"""In which numbers the surrogate's products are computed while it trains."""

from __future__ import annotations

import torch

from coresift.compute import resolve_dtype


def product_dtype(name: str, device: torch.device) -> torch.dtype:
    """Return the type of matrix products in training.

    Args:
        name: "float32", "bfloat16", or "auto": bfloat16 on a device that computes in it, a CPU included.
        device: where the surrogate trains.

    Raises:
        ValueError: the name is unknown.
    """
    if name == "auto" and device.type == "cpu":
        features = torch.cpu.get_capabilities()
        fast = features.get("avx512_bf16") or features.get("amx_bf16")
        return torch.bfloat16 if fast else torch.float32
    return resolve_dtype(name, device)
