"""Dictionaries of tensors as safetensors files, with one string of metadata each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

_METADATA_KEY = "coresift"


class Tensors(dict[str, torch.Tensor]):
    """A dictionary of tensors that remembers where it came from.

    Attributes:
        metadata: Short facts about the tensors, for instance the fingerprint of the model that made them.
    """

    def __init__(self, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str] | None = None) -> None:
        super().__init__(tensors)
        self.metadata = dict(metadata or {})


def write_tensors(target: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Write tensors, and the metadata of a :class:`Tensors`, into one safetensors file."""
    metadata = tensors.metadata if isinstance(tensors, Tensors) else {}
    # A single metadata entry: safetensors writes several in an order that changes from run to run.
    text = json.dumps(metadata, sort_keys=True)
    save_file(
        {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, target, {_METADATA_KEY: text}
    )


def read_tensors(path: Path) -> Tensors:
    """Read every tensor of a safetensors file, memory-mapped where the platform allows it."""
    with safe_open(path, framework="pt") as file:
        text = (file.metadata() or {}).get(_METADATA_KEY, "{}")
        return Tensors({name: file.get_tensor(name) for name in file.keys()}, json.loads(text))


def describe_tensors(path: Path) -> dict[str, str]:
    """Return type and shape of every tensor, read from the file's header only."""
    with safe_open(path, framework="pt") as file:
        slices = {name: file.get_slice(name) for name in file.keys()}
        return {name: f"{part.get_dtype()} {tuple(part.get_shape())}" for name, part in slices.items()}
