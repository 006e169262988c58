"""Datasets of kedro-datasets with the promise "whole or absent", and with literal paths, added by one mixin.

A failed save of the plain versions leaves a broken file that counts as the newest version.
"""

from __future__ import annotations

import copy
from pathlib import PurePosixPath
from typing import Any

import fsspec
from kedro_datasets.json import JSONDataset
from kedro_datasets.matplotlib import MatplotlibDataset
from kedro_datasets.text import TextDataset as PlainTextDataset

from coresift.datasets.located_dataset import LiteralVersions
from coresift.storage import Location


class AtomicMixin(LiteralVersions):
    """Lets a single-file dataset write to a draft that is renamed when it is finished."""

    def __init__(self, **arguments: Any) -> None:  # noqa: ANN401
        super().__init__(**arguments)
        self._exists_function = lambda path: Location(self._fs, path).exists()

    def save(self, data: object) -> None:
        """Write the file whole, or not at all."""
        with self._at(self._get_save_path()).writing_file() as draft:  # type: ignore[attr-defined]
            twin = copy.copy(self)
            twin.__dict__.update(
                _filepath=PurePosixPath(draft), _version=None, _protocol="file", _fs=fsspec.filesystem("file")
            )
            standard_save = super(AtomicMixin, type(self)).save  # type: ignore[misc]
            standard_save.__wrapped__(twin, data)


class JsonDataset(AtomicMixin, JSONDataset):
    """``kedro_datasets.json.JSONDataset``, whole or absent."""


class TextDataset(AtomicMixin, PlainTextDataset):
    """``kedro_datasets.text.TextDataset``, whole or absent."""


class FigureDataset(AtomicMixin, MatplotlibDataset):
    """``kedro_datasets.matplotlib.MatplotlibDataset`` for one figure, whole or absent."""
