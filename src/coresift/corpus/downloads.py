"""Files behind URLs, fetched once, resumed when the connection breaks, and kept only when they are whole."""

from __future__ import annotations

import hashlib
import logging
import os
import time
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import fsspec
from fsspec import AbstractFileSystem

from coresift.corpus.databases import without_secrets
from coresift.storage import atomic_file, fingerprint

logger = logging.getLogger(__name__)

_CHUNK = 1 << 20
_ATTEMPTS = 5
_FIRST_PAUSE = 0.2


def is_url(path: str) -> bool:
    """Tell whether a path is an address that must be fetched."""
    return "://" in path


def default_cache() -> Path:
    """Return the user's folder for downloads."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "coresift"


def fetch(url: str, *, checksum: str | None = None, cache: Path | None = None) -> Path:
    """Return a local copy of the file at a URL, downloaded unless it is there already.

    Args:
        url: Any address that fsspec opens.
        checksum: What the file must hash to, as ``sha256:<digits>`` or ``md5:<digits>``; without one the length that
            the server announces is checked.
        cache: Folder of downloads; None is the user's cache folder.

    Returns:
        Path of the copy, under its own name.

    Raises:
        ValueError: If the file cannot be fetched whole, or is not the one expected.
    """
    folder = (cache or default_cache()) / fingerprint(url, checksum)
    target = folder / (PurePosixPath(urlsplit(url).path).name or "download")
    if target.exists():
        return target
    with atomic_file(target) as draft:
        _download(url, draft)
        _check(draft, url, checksum)
    return target


def _download(url: str, draft: Path) -> None:
    """Fill a file, going on where a broken connection stopped."""
    try:
        filesystem, path = fsspec.url_to_fs(url)
        size = filesystem.info(path).get("size")
    except (OSError, ValueError, ImportError) as error:
        raise ValueError(
            f"{without_secrets(url)} cannot be reached ({_reason(error)}): check the address and the network."
        ) from None  # whose message has the whole address
    logger.info("downloading %s", without_secrets(url))
    failure: Exception | None = None
    for attempt in range(_ATTEMPTS):
        try:
            _go_on(filesystem, path, draft, size)
            if size is None or draft.stat().st_size == size:
                return
        except Exception as error:  # every file system has its own errors of a broken connection
            failure = error
        time.sleep(_FIRST_PAUSE * 2**attempt)
    reason = "the connection ended early" if failure is None else _reason(failure)
    raise ValueError(
        f"{without_secrets(url)} was cut off at {draft.stat().st_size} of {size} bytes in {_ATTEMPTS} attempts "
        f"({reason}): try again."
    )


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
    if checksum is None:
        return
    kind, _, expected = checksum.partition(":")
    if kind not in ("sha256", "md5") or not expected:
        raise ValueError(f"checksum {checksum!r} must be written as sha256:<digits> or md5:<digits>.")
    with draft.open("rb") as stream:
        found = hashlib.file_digest(stream, kind).hexdigest()
    if found != expected.lower():
        raise ValueError(
            f"{without_secrets(url)} has the {kind} {found}, not {expected}: it changed or was damaged; correct "
            f"checksum."
        )


def _reason(error: Exception) -> str:
    """Return the first line of an error, without the secrets of the address in it."""
    return without_secrets((str(error).splitlines() or [type(error).__name__])[0]) or type(error).__name__
