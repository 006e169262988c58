"""Tensors that grow row by row in numbered shards, so that a killed run goes on after the last whole shard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import torch

from coresift.storage.publishing import atomic_file
from coresift.storage.tensors import Tensors, read_tensors, write_tensors


class Shards:
    """A folder of safetensors shards, each written whole or not at all.

    Args:
        folder: Where the shards lie; made if missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def files(self) -> list[Path]:
        """The shards in the order in which they were written."""
        return sorted(self.folder.glob("shard-*.safetensors"))

    @property
    def written(self) -> int:
        """Number of whole shards."""
        return len(self.files)

    def append(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Write one more shard.

        Raises:
            ValueError: If its tensors are not named as those of the earlier shards.
        """
        files = self.files
        if files and set(read_tensors(files[0])) != set(tensors):
            raise ValueError(f"shards in '{self.folder}' hold {sorted(read_tensors(files[0]))}, not {sorted(tensors)}")
        with atomic_file(self.folder / f"shard-{len(files):06d}.safetensors") as draft:
            write_tensors(draft, tensors)

    def parts(self) -> Iterator[Tensors]:
        """Yield the shards one after the other."""
        return map(read_tensors, self.files)

    def load(self) -> Tensors:
        """Return all shards joined along the first dimension.

        Raises:
            FileNotFoundError: If there is none.
        """
        parts = list(self.parts())
        if not parts:
            raise FileNotFoundError(f"no shards in '{self.folder}'")
        return Tensors({name: torch.cat([part[name] for part in parts]) for name in parts[0]}, parts[0].metadata)
