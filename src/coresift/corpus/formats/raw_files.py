"""Raw files wherever they lie: alone, in a folder or in a zip archive, compressed or not."""

from __future__ import annotations

import gzip
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

import pyarrow as pa

DAMAGED = (EOFError, OSError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, pa.ArrowInvalid)
"""Errors of a file that is cut off or is not what its name says."""

COMPRESSIONS = (".gz", ".zst")


@dataclass(frozen=True)
class RawFile:
    """One file on the local disk, or one member of a zip archive there.

    Attributes:
        path: The file, or the archive.
        member: Name inside the archive; None for a file of its own.
    """

    path: Path
    member: str | None = None

    @property
    def name(self) -> str:
        """The file's own name, without folders."""
        return self.path.name if self.member is None else PurePosixPath(self.member).name

    @property
    def suffix(self) -> str:
        """The suffix that tells the format, in lower case and without that of a compression."""
        suffixes = [suffix.lower() for suffix in PurePosixPath(self.name).suffixes]
        told = [suffix for suffix in suffixes if suffix not in COMPRESSIONS]
        return told[-1] if told else ""

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """Open the content for reading, decompressed."""
        if self.member is None:
            with self.path.open("rb") as stream, _decompressed(stream, self.name) as content:
                yield content
            return
        with (
            zipfile.ZipFile(self.path) as archive,
            _unpacked(archive, self.member) as packed,
            _decompressed(packed, self.name) as content,
        ):
            yield content


def files_at(path: Path) -> list[RawFile]:
    """Return the file at a path, the files in a folder, or the members of a zip archive, in the order of their names.

    Raises:
        zipfile.BadZipFile: If an archive is damaged.
    """
    if path.is_dir():
        return [RawFile(file) for file in sorted(path.iterdir()) if file.is_file() and not file.name.startswith(".")]
    if path.suffix.lower() != ".zip":
        return [RawFile(path)]
    with zipfile.ZipFile(path) as archive:
        members = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
    wanted = sorted(member for member in members if not member.startswith("__MACOSX/"))
    return [RawFile(path, member) for member in wanted]


def _unpacked(archive: zipfile.ZipFile, member: str) -> IO[bytes]:
    """Open a member of an archive.

    Raises:
        ValueError: If it is encrypted, or packed by a method that Python does not know.
    """
    try:
        return archive.open(member)
    except NotImplementedError as error:
        problem = f"is packed in a way that cannot be read here ({error})"
    except RuntimeError:
        problem = "is encrypted"
    raise ValueError(f"{member} in {archive.filename} {problem}: unpack the archive, and give the path of the folder.")


@contextmanager
def _decompressed(stream: IO[bytes], name: str) -> Iterator[IO[bytes]]:
    """Yield a stream without the compression that the file's name tells."""
    suffix = PurePosixPath(name).suffix.lower()
    if suffix == ".gz":
        with gzip.open(stream) as content:
            yield cast("IO[bytes]", content)
    elif suffix == ".zst":
        with pa.CompressedInputStream(pa.PythonFile(stream), "zstd") as unpacked:
            yield unpacked
    else:
        yield stream
