"""A base model whose weights take four bits each, by bitsandbytes: NF4 of QLoRA (arXiv 2305.14314)."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import torch


def check_four_bits(device: torch.device) -> None:
    """Make sure that weights can take four bits here.

    Raises:
        ValueError: If the device is no GPU (on a CPU bitsandbytes has no backward pass through its fast product), or
            bitsandbytes is not installed.
    """
    if device.type != "cuda":
        raise ValueError(f"dtype nf4 needs a GPU of type cuda, not '{device.type}': set dtype to auto")
    if find_spec("bitsandbytes") is None:
        raise ValueError(
            "dtype nf4 needs bitsandbytes: install it with pip install 'coresift[quantization]', or set dtype to auto"
        )


def four_bit_loading(device: torch.device, dtype: torch.dtype) -> dict[str, Any]:
    """Return what ``from_pretrained`` takes to load a model in NF4, with its constants quantized too.

    Args:
        device: Where the weights are quantized and stay.
        dtype: Precision of the products.

    Raises:
        ValueError: If four bits cannot be had.
    """
    check_four_bits(device)
    from transformers import BitsAndBytesConfig

    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )
    return {"quantization_config": config, "device_map": {"": device}}
