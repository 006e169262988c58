"""One file or folder on the local disk or any fsspec store, with the promise that what exists is complete.

Locally the promise is kept by renaming (see :mod:`coresift.storage.atomic_writes`). A store that cannot rename gets the
content first and an empty marker last; without its marker, content counts as absent. Paths are names, never patterns:
``run[1]`` is that folder and no other.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from coresift.storage.atomic_writes import atomic_file, atomic_folder, publish_folder, recover
from coresift.storage.work_folders import WORK_FOLDER_NAME

MARKER_SUFFIX = ".whole"


@dataclass(frozen=True)
class Location:
    """A place for one dataset.

    Attributes:
        filesystem: The fsspec file system.
        path: Path on it, without protocol.
    """

    filesystem: AbstractFileSystem
    path: str

    @property
    def is_local(self) -> bool:
        """Whether the path lies on this machine's disk."""
        protocol = self.filesystem.protocol
        return "file" in ((protocol,) if isinstance(protocol, str) else protocol)

    @property
    def _marker(self) -> str:
        return self.path + MARKER_SUFFIX

    def exists(self) -> bool:
        """Whether something complete is here."""
        if self.is_local:
            recover(Path(self.path))
            return Path(self.path).exists()
        return bool(self.filesystem.exists(self.path) and self.filesystem.exists(self._marker))

    def versions(self) -> list[str]:
        """Return the names below which something complete of this location's own name lies, the latest name first."""
        try:
            found = self.filesystem.ls(self.path, detail=False)
        except (FileNotFoundError, NotADirectoryError):
            return []
        names = sorted((PurePosixPath(path).name for path in found), reverse=True)
        own = PurePosixPath(self.path).name
        return [name for name in names if Location(self.filesystem, f"{self.path}/{name}/{own}").exists()]

    def newest_version(self) -> str | None:
        """Return the first of :meth:`versions`, or None if there is no version."""
        return next(iter(self.versions()), None)

    @contextmanager
    def writing_file(self) -> Iterator[Path]:
        """Yield a local path to fill with the file's content; it is published whole, or not at all."""
        if self.is_local:
            with atomic_file(Path(self.path)) as draft:
                yield draft
            return
        with tempfile.TemporaryDirectory() as folder:
            draft = Path(folder) / PurePosixPath(self.path).name
            yield draft
            self._upload(lambda: self.filesystem.put_file(str(draft), self.path))

    def save_folder(self, source: Path) -> None:
        """Publish a finished local folder; one that lies in a work folder is moved, any other is copied.

        Raises:
            ValueError: If ``source`` is not a folder.
        """
        if not source.is_dir():
            raise ValueError(f"'{source}' is not a folder: give the path of a finished folder")
        if not self.is_local:
            self._upload(lambda: self._put_folder(source))
        elif WORK_FOLDER_NAME in source.parts and _same_disk(source, Path(self.path)):
            publish_folder(source, Path(self.path))
        else:
            with atomic_folder(Path(self.path)) as draft:
                shutil.copytree(source, draft, dirs_exist_ok=True)

    def local_copy(self) -> Path:
        """Return a local path of the content: itself, or a downloaded copy that lives until the process ends."""
        if self.is_local:
            recover(Path(self.path))
            return Path(self.path)
        folder = tempfile.mkdtemp(prefix="coresift-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        copy = Path(folder) / PurePosixPath(self.path).name
        root = PurePosixPath(self.filesystem._strip_protocol(self.path))
        # File by file: what fetches or removes several at once takes the path for a pattern.
        for file in self.filesystem.find(self.path):
            target = copy / PurePosixPath(file).relative_to(root)
            target.parent.mkdir(parents=True, exist_ok=True)
            self.filesystem.get_file(file, str(target))
        return copy

    def _clear(self) -> None:
        """Remove the file or folder that lies here on a store, and nothing whose name is like its own."""
        for file in self.filesystem.find(self.path):
            self.filesystem.rm_file(file)
        folders = [folder for folder, _, _ in self.filesystem.walk(self.path)]
        for folder in sorted(folders, reverse=True):
            if self.filesystem.exists(folder):
                self.filesystem.rmdir(folder)

    def _put_folder(self, source: Path) -> None:
        for file in sorted(path for path in source.rglob("*") if path.is_file()):
            self.filesystem.put_file(str(file), f"{self.path}/{file.relative_to(source).as_posix()}")

    def _upload(self, put: Callable[[], None]) -> None:
        parent = str(PurePosixPath(self.path).parent)
        self.filesystem.makedirs(parent, exist_ok=True)
        if self.filesystem.exists(self._marker):
            self.filesystem.rm_file(self._marker)
        self._clear()
        put()
        with self.filesystem.open(self._marker, "wb"):
            pass


def whole_versions(dataset: Path) -> list[Path]:
    """Return the whole versions of a dataset on this machine, the newest first.

    Args:
        dataset: Where the catalog lays it, such as ``data/primary/samples.parquet``, a folder of versions.
    """
    names = Location(LocalFileSystem(), str(dataset.absolute())).versions()
    return [dataset / name / dataset.name for name in names]


def newest_version(dataset: Path) -> Path | None:
    """Return the first of :func:`whole_versions`, or None if there is no version."""
    return next(iter(whole_versions(dataset)), None)


def _same_disk(source: Path, target: Path) -> bool:
    existing = next(parent for parent in target.parents if parent.exists())
    return source.stat().st_dev == existing.stat().st_dev
