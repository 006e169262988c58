"""Dictionaries of tensors in one safetensors file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from kedro_datasets._typing import JSONPreview

from coresift.datasets.located_dataset import LocatedDataset
from coresift.storage import Tensors, describe_tensors, read_tensors, write_tensors

if TYPE_CHECKING:
    from torch import Tensor


class TensorDictDataset(LocatedDataset["Mapping[str, Tensor]", Tensors]):
    """Saves a dictionary of tensors; loads it with its metadata.

    Example:
        .. code-block:: yaml

            surrogate_states:
              type: coresift.datasets.TensorDictDataset
              filepath: data/surrogate/surrogate_states.safetensors
              versioned: true
    """

    def save(self, data: Mapping[str, Tensor]) -> None:
        """Write the safetensors file whole, or not at all."""
        with self._target.writing_file() as draft:
            write_tensors(draft, data)

    def load(self) -> Tensors:
        """Read every tensor."""
        return read_tensors(self._source.local_copy())

    def preview(self) -> JSONPreview:
        """Return types and shapes for kedro-viz, read from the header only."""
        return JSONPreview(json.dumps(describe_tensors(self._source.local_copy())))
