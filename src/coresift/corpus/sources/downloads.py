"""Files behind URLs, fetched once, resumed when the connection breaks, and kept only when they are whole."""

from __future__ import annotations

import hashlib
import logging
import os
import time
from pathlib import Path, PurePosixPath

import fsspec
from fsspec import AbstractFileSystem

from coresift.corpus.sources.addresses import masked, reason
from coresift.storage import atomic_file, fingerprint

logger = logging.getLogger(__name__)

_CHUNK = 1 << 20
_ATTEMPTS = 5
_FIRST_PAUSE = 0.2
_GONE = (404, 410)
"""Answers of a server that has no such file."""


class AbsentFileError(ValueError):
    """Tells that there is no file at an address whose host answers."""


def default_cache() -> Path:
    """Return the user's folder for downloads."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "coresift"


def fetch(url: str, *, checksum: str | None = None, cache: Path | None = None) -> Path:
    """Return a local copy of the file at a URL, downloaded unless it is there already.

    Args:
        url: Any address that fsspec opens.
        checksum: What the file must hash to, as ``sha256:<digits>`` or ``md5:<digits>``, whenever it is used; without
            one the length that the server announces is checked once.
        cache: Folder of downloads; None is the user's cache folder.

    Returns:
        Path of the copy, under its own name.

    Raises:
        AbsentFileError: If there is none.
        ValueError: If the file cannot be fetched whole, or is not the one expected.
    """
    folder = (cache or default_cache()) / fingerprint(url, checksum)
    target = folder / file_name(url)
    if target.exists():
        if _difference(target, checksum) is None:
            return target
        logger.warning("the copy of %s in the cache is damaged: it is fetched again", masked(url))
    with atomic_file(target) as draft:
        _download(url, draft)
        _check(draft, url, checksum)
    return target


def file_name(url: str) -> str:
    """Return the name of the file at a URL, which may not hold what the URL keeps secret."""
    first = next(part for part in masked(url).split("::") if "://" in part)
    return PurePosixPath(first.partition("://")[2]).name or "download"


def _download(url: str, draft: Path) -> None:
    """Fill a file, going on where a broken connection stopped."""
    filesystem, path, size = _found(url)
    logger.info("downloading %s", masked(url))
    failure = "the connection ended early"
    for attempt in range(_ATTEMPTS):
        try:
            _go_on(filesystem, path, draft, size)
            if size is None or draft.stat().st_size == size:
                return
        except Exception as error:  # every file system has its own errors of a broken connection
            failure = reason(error, url)
        time.sleep(_FIRST_PAUSE * 2**attempt)
    raise ValueError(
        f"{masked(url)} was cut off at {draft.stat().st_size} of {size} bytes in {_ATTEMPTS} attempts ({failure}): "
        f"try again."
    )


def _found(url: str) -> tuple[AbstractFileSystem, str, int | None]:
    """Return the file system, the path and the length of what a URL leads to."""
    try:
        filesystem, path = fsspec.url_to_fs(url)
        return filesystem, path, filesystem.info(path).get("size")
    except Exception as error:  # every file system has its own; their texts have the whole address
        kind = AbsentFileError if _tells_absence(error, url) else ValueError
        failure = reason(error.__cause__ or error, url)
    raise kind(f"{masked(url)} cannot be reached ({failure}): check the address and the network.")


def _tells_absence(error: Exception, url: str) -> bool:
    """Tell whether an error means that a file does not exist.

    Over HTTP fsspec calls every failure a missing file; its cause knows better.
    """
    told = error.__cause__ if masked(url).rpartition("::")[2].startswith("http") else error
    return isinstance(told, FileNotFoundError) or getattr(told, "status", None) in _GONE


def _go_on(filesystem: AbstractFileSystem, path: str, draft: Path, size: int | None) -> None:
    """Append what is missing of a file, in pieces, so that nothing of a broken connection is lost."""
    if size is None:
        with filesystem.open(path, "rb", block_size=0) as source, draft.open("wb") as target:
            while chunk := source.read(_CHUNK):
                target.write(chunk)
        return
    with draft.open("ab") as target:
        while (start := target.tell()) < size:
            piece = filesystem.cat_file(path, start=start, end=min(start + _CHUNK, size))
            if not piece:
                return
            target.write(piece[: size - start])


def _check(draft: Path, url: str, checksum: str | None) -> None:
    """Compare a file with its checksum."""
    found = _difference(draft, checksum)
    if found is not None:
        kind, _, expected = str(checksum).partition(":")
        raise ValueError(
            f"{masked(url)} has the {kind} {found}, not {expected}: it changed or was damaged; correct checksum."
        )


def _difference(file: Path, checksum: str | None) -> str | None:
    """Return the digits that a file hashes to, where they are not those of the checksum."""
    if checksum is None:
        return None
    kind, _, expected = checksum.partition(":")
    if kind not in ("sha256", "md5") or not expected:
        raise ValueError(f"checksum {checksum!r} must be written as sha256:<digits> or md5:<digits>.")
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, kind).hexdigest()
    return None if found == expected.lower() else found
