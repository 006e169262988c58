"""The common half of every dataset of the project: where it lies, which version, whether it is whole."""

from __future__ import annotations

from copy import deepcopy
from pathlib import PurePosixPath
from typing import Any, Generic, TypeVar

import fsspec
from kedro.io.core import AbstractVersionedDataset, Version, get_filepath_str, get_protocol_and_path

from coresift.storage import Location

SaveType = TypeVar("SaveType")
LoadType = TypeVar("LoadType")


class LocatedDataset(AbstractVersionedDataset[SaveType, LoadType], Generic[SaveType, LoadType]):
    """A versioned dataset at one :class:`~coresift.storage.Location`; subclasses add ``load`` and ``save``.

    Args:
        filepath: Path or fsspec address of the file or folder.
        version: Kedro's load and save version.
        credentials: Arguments for the file system that must not stand in the catalog.
        fs_args: Further arguments for the file system.
        metadata: Kept untouched for plugins such as kedro-viz.
    """

    _version: Version | None

    def __init__(
        self,
        *,
        filepath: str,
        version: Version | None = None,
        credentials: dict[str, Any] | None = None,
        fs_args: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._protocol, path = get_protocol_and_path(filepath, version)
        self._fs = fsspec.filesystem(self._protocol, **deepcopy(credentials or {}), **deepcopy(fs_args or {}))
        self.metadata = metadata
        super().__init__(
            filepath=PurePosixPath(path),
            version=version,
            exists_function=lambda found: Location(self._fs, found).exists(),
            glob_function=self._fs.glob,
        )

    def pin(self) -> None:
        """Hold to the version that would be loaded now, whatever appears later.

        Raises:
            VersionNotFoundError: If there is none.
        """
        if self._version is not None:
            self._version = Version(self.resolve_load_version(), self._version.save)

    @property
    def _source(self) -> Location:
        return Location(self._fs, get_filepath_str(self._get_load_path(), self._protocol))

    @property
    def _target(self) -> Location:
        return Location(self._fs, get_filepath_str(self._get_save_path(), self._protocol))

    def _exists(self) -> bool:
        return self._source.exists()

    def _release(self) -> None:
        super()._release()
        self._fs.invalidate_cache(get_filepath_str(self._filepath, self._protocol))

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "protocol": self._protocol, "version": self._version}
