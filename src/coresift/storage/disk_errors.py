"""A disk that is full or closed, told in one sentence whichever library ran into it.

Python, Arrow and DuckDB raise errors of the operating system; safetensors and torch have words of their own for them,
torch's without the reason.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG})
"""Errors that say something about the disk, and nothing about the path or the program."""

_OS_ERROR = re.compile(r"\(os error (\d+)\)")
_WORDS_FOR_A_FULL_DISK = ("No space left on device", "Disk quota exceeded", "PytorchStreamWriter failed writing")
_TORN_WRITE = re.compile(r"inline_container\.cc.*unexpected pos", re.DOTALL)


class DiskError(OSError):
    """Something could not be written because of the disk; the message is one sentence with the remedy."""


@contextmanager
def disk_errors_named(folder: Path) -> Iterator[None]:
    """Turn what a full or closed disk makes libraries raise into one sentence that names the folder.

    Raises:
        DiskError: If the block failed because of the disk; every other error passes.
    """
    try:
        yield
    except DiskError:
        raise
    except Exception as error:
        reason = disk_failure(error)
        if reason is None:
            raise
        raise DiskError(
            f"'{folder}' could not be written to ({reason}; {_free_space(folder)}): make room there, or choose another "
            f"data_dir, and run again"
        ) from error


def disk_failure(error: BaseException) -> str | None:
    """Return what is wrong with the disk if that is what an error, or one behind it, comes from, else None."""
    seen: set[int] = set()
    behind: BaseException | None = error
    while behind is not None and id(behind) not in seen:
        seen.add(id(behind))
        reason = _reason(behind)
        if reason is not None:
            return reason
        behind = behind.__cause__ or behind.__context__
    return None


def _reason(error: BaseException) -> str | None:
    text = str(error)
    told = _OS_ERROR.search(text)
    number = error.errno if isinstance(error, OSError) else int(told[1]) if told else None
    if number in DISK_ERRORS:
        return os.strerror(number).lower()
    if _TORN_WRITE.search(text) or any(words in text for words in _WORDS_FOR_A_FULL_DISK):
        return os.strerror(errno.ENOSPC).lower()
    return None


def _free_space(folder: Path) -> str:
    """Return how much room there is at a folder, or where it would be made."""
    existing = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    return f"{shutil.disk_usage(existing).free / 2**20:,.1f} MiB are free"
