"""The common half of every dataset of the project: where it lies, which version, whether it is whole."""

from __future__ import annotations

from copy import deepcopy
from pathlib import PurePosixPath
from typing import Any, Generic, TypeVar

import fsspec
from kedro.io.core import (
    AbstractVersionedDataset,
    Version,
    VersionNotFoundError,
    get_filepath_str,
    get_protocol_and_path,
)

from coresift.storage import Location

SaveType = TypeVar("SaveType")
LoadType = TypeVar("LoadType")


class LiteralVersions:
    """Finds the versions of a versioned dataset by the names of folders, where Kedro takes the path for a pattern.

    What this run has saved is what it loads; otherwise the newest version is.
    """

    _filepath: PurePosixPath
    _version: Version | None
    _fs: fsspec.AbstractFileSystem
    _protocol: str
    _cached_load_version: str | None
    _cached_save_version: str | None

    def pin(self) -> None:
        """Hold to the version that would be loaded now, whatever appears later.

        Raises:
            VersionNotFoundError: If there is none.
        """
        if self._version is not None:
            self._version = Version(self.resolve_load_version(), self._version.save)  # type: ignore[attr-defined] # of Kedro's base

    def _at(self, path: PurePosixPath) -> Location:
        return Location(self._fs, get_filepath_str(path, self._protocol))

    def _get_versions(self) -> list[str]:
        """Return the paths of all versions, the newest first."""
        names = self._at(self._filepath).versions()
        return [str(self._filepath / name / self._filepath.name) for name in names]

    def _fetch_latest_load_version(self) -> str:
        """Return the version that this run saved, else the newest, and keep it in mind."""
        if self._cached_load_version is None:
            self._cached_load_version = self._own_version() or self._newest_version()
        return self._cached_load_version

    def _own_version(self) -> str | None:
        """Return the version that this run saves under, if it has."""
        own = (self._version.save if self._version else None) or self._cached_save_version
        saved = own is not None and self._at(self._filepath / own / self._filepath.name).exists()
        return own if saved else None

    def _newest_version(self) -> str:
        name = self._at(self._filepath).newest_version()
        if name is None:
            raise VersionNotFoundError(f"Did not find any versions for {self}")
        return name

    def _exists(self) -> bool:
        return self._at(self._get_load_path()).exists()  # type: ignore[attr-defined]


class LocatedDataset(LiteralVersions, AbstractVersionedDataset[SaveType, LoadType], Generic[SaveType, LoadType]):
    """A versioned dataset at one :class:`~coresift.storage.Location`; subclasses add ``load`` and ``save``.

    Args:
        filepath: Path or fsspec address of the file or folder.
        version: Kedro's load and save version.
        credentials: Arguments for the file system that must not stand in the catalog.
        fs_args: Further arguments for the file system.
        metadata: Kept untouched for plugins such as kedro-viz.
    """

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
        )

    @property
    def _source(self) -> Location:
        return self._at(self._get_load_path())

    @property
    def _target(self) -> Location:
        return self._at(self._get_save_path())

    def _release(self) -> None:
        super()._release()
        self._fs.invalidate_cache(get_filepath_str(self._filepath, self._protocol))

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "protocol": self._protocol, "version": self._version}
