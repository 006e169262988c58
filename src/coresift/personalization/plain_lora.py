"""One user's mixture, or that of a group of users, as an ordinary LoRA that every server of LoRAs can load."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

from coresift.personalization.mixture_layer import mixed_matrices
from coresift.personalization.saved_mixture import DOWN, UP, SavedMixture
from coresift.storage import atomic_folder


def export_plain_lora(mixture: SavedMixture, shares: Tensor, folder: Path) -> None:
    """Write the mixture with fixed shares as a folder of peft, equal to the mixture in exact arithmetic.

    Mix ``output`` gives rank n_adapters * r, mix ``weight`` rank r, both with the mixture's lora_alpha.

    Args:
        mixture: A personalized adapter.
        shares: (n_gates, n_adapters) shares of a user or of a group.
        folder: Where to write; an older one is replaced.

    Raises:
        ValueError: If the shares are not those of this mixture's gates.
    """
    if tuple(shares.shape) != mixture.shape:
        raise ValueError(f"shares have shape {tuple(shares.shape)}, but this adapter's gates give {mixture.shape}")
    tensors = dict(mixture.tensors)
    for position, name in enumerate(mixture.layers):
        own = shares[min(position, len(shares) - 1)]
        tensors[name + DOWN], tensors[name + UP] = _plain_matrices(mixture, name, own)
    rank = mixture.config.r if mixture.config.mix == "weight" else mixture.config.rank
    config = mixture.peft_config | {"peft_type": "LORA", "r": rank}
    with atomic_folder(folder) as draft:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, draft / "adapter_model.safetensors")
        text = json.dumps(config, indent=2, sort_keys=True) + "\n"
        (draft / "adapter_config.json").write_text(text, encoding="utf-8")


def _plain_matrices(mixture: SavedMixture, layer: str, shares: Tensor) -> tuple[Tensor, Tensor]:
    """Return A and B of the LoRA that does what the layer does for these shares (m,)."""
    down, up = mixture.tensors[layer + DOWN], mixture.tensors[layer + UP]
    factors = (shares.sqrt() if mixture.config.square_root else shares).to(up.dtype)
    if mixture.config.mix == "weight":
        mixed_down, mixed_up = mixed_matrices(down, up, factors.unsqueeze(0))
        return mixed_down[0], mixed_up[0]
    columns = (factors * mixture.config.n_adapters).repeat_interleave(mixture.config.r)
    return down, up * columns
