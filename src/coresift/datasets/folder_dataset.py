"""Folders of a model or an adapter: safetensors for weights, text for everything else, never a pickle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

from kedro.io import DatasetError
from kedro_datasets._typing import JSONPreview

from coresift.datasets.located_dataset import LocatedDataset
from coresift.storage import unsafe_files


class ModelDirectoryDataset(LocatedDataset[Path, Path]):
    """Saves a finished folder given by its path; loads the path of the stored folder (a local copy of a remote one).

    A folder that was built in the project's work folder is moved in, any other is copied.

    Example:
        .. code-block:: yaml

            base_model:
              type: coresift.datasets.ModelDirectoryDataset
              filepath: data/primary/base_model
              versioned: true
    """

    required_files: ClassVar[tuple[str, ...]] = ()
    or_files: ClassVar[tuple[str, ...]] = ()
    """Files that stand in for the required ones where the folder holds them all."""

    def save(self, data: Path) -> None:
        """Store the folder whole, or not at all.

        Raises:
            DatasetError: If a required file is missing, or a file is neither safetensors nor text.
        """
        missing = [name for name in self.required_files if not (data / name).is_file()]
        replaced = bool(self.or_files) and all((data / name).is_file() for name in self.or_files)
        if missing and not replaced:
            raise DatasetError(f"'{data}' lacks {', '.join(missing)}: save a finished folder")
        unsafe = unsafe_files(data)
        if unsafe:
            raise DatasetError(
                f"'{data}' holds {', '.join(unsafe)}, which may be pickles or programs: save weights as safetensors, "
                "and everything else as text"
            )
        self._target.save_folder(data)

    def load(self) -> Path:
        """Return the path of the folder."""
        return self._source.local_copy()

    def preview(self) -> JSONPreview:
        """Return the files and their sizes in bytes for kedro-viz."""
        folder = self._source.local_copy()
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        return JSONPreview(json.dumps({str(file.relative_to(folder)): file.stat().st_size for file in files}))


class PeftAdapterDataset(ModelDirectoryDataset):
    """A model directory that stock peft can load, or a whole model where all weights were tuned.

    Example:
        .. code-block:: yaml

            adapter:
              type: coresift.datasets.PeftAdapterDataset
              filepath: data/models/adapter
              versioned: true
    """

    required_files = ("adapter_config.json", "adapter_model.safetensors")
    or_files = ("config.json", "model.safetensors")
