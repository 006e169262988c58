"""Tensors that grow row by row in numbered shards, so that a killed run goes on after the last whole shard."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError

from coresift.storage.atomic_writes import atomic_file
from coresift.storage.tensors import Tensors, read_tensors, write_tensors

logger = logging.getLogger(__name__)


class Shards:
    """A folder of safetensors shards, each written whole or not at all.

    Args:
        folder: Where the shards lie; made with the first one if missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

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
        number = 1 + int(files[-1].stem.removeprefix("shard-")) if files else 0
        with atomic_file(self.folder / f"shard-{number:06d}.safetensors") as draft:
            write_tensors(draft, tensors)

    def keep_those_of(self, key: str, expected: torch.Tensor) -> int:
        """Keep the shards that hold the first of the expected rows, and delete the first that does not and all later.

        A shard that is damaged, holds rows twice or rows of something else, or whose tensors differ in length, or in
        name, type or width from those of the first, is thereby written again instead of failing every later run.

        Args:
            key: Name of the tensor of ids.
            expected: (N,) the ids of all rows, in the order in which they are written.

        Returns:
            Number of rows kept.
        """
        n_rows, form = 0, None
        files = self.files
        for position, file in enumerate(files):
            found = _whole(file)
            rows = None if found is None else found.get(key)
            if found is None or rows is None or (form is not None and _form(found) != form):
                return self._without(files[position:], n_rows)
            if not len(rows) or not torch.equal(rows, expected[n_rows : n_rows + len(rows)]):
                return self._without(files[position:], n_rows)
            n_rows, form = n_rows + len(rows), _form(found)
        return n_rows

    def _without(self, files: list[Path], n_rows: int) -> int:
        logger.warning(
            "%d shards in '%s' are damaged or hold other rows than they should: they are made again.",
            len(files),
            self.folder,
        )
        for file in files:
            file.unlink(missing_ok=True)
        return n_rows

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


def _whole(file: Path) -> Tensors | None:
    """Return a shard's tensors, or None where it cannot be read or its tensors differ in length."""
    try:
        tensors = read_tensors(file)
        return tensors if len({len(tensor) for tensor in tensors.values()}) == 1 else None
    except (SafetensorError, OSError, ValueError, TypeError):  # no safetensors, cut off, a tensor without rows
        return None


def _form(tensors: Tensors) -> dict[str, tuple[torch.dtype, torch.Size]]:
    return {name: (tensor.dtype, tensor.shape[1:]) for name, tensor in tensors.items()}
