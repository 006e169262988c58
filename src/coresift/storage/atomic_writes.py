"""Write beside the target, sync, rename: a local file or folder that exists is complete.

A process killed at any moment leaves at most a hidden left-over beside the target, never a truncated target, and what
is replaced exists at every moment: the old one, then the new one.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import takewhile
from pathlib import Path

from coresift.storage.ownership import FileLock, locked

LEFT_OVER_PREFIX = ".writing-"
_SET_ASIDE_PREFIX = ".replaced-"
_HERE = -100
"""AT_FDCWD: paths are relative to the current folder."""
_SWAP = 2
"""RENAME_EXCHANGE of Linux and RENAME_SWAP of macOS."""

Exchange = Callable[[bytes, bytes], int]


@contextmanager
def atomic_file(target: Path) -> Iterator[Path]:
    """Yield a path to fill; it becomes ``target`` when the block ends well and vanishes when it raises."""
    make_folder(target.parent)
    handle, name = tempfile.mkstemp(prefix=LEFT_OVER_PREFIX, suffix=target.suffix, dir=target.parent)
    os.close(handle)
    draft = Path(name)
    try:
        yield draft
        os.chmod(draft, 0o666 & ~_umask())
        _sync(draft)
        os.replace(draft, target)
        _sync(target.parent)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder to fill; it becomes ``target`` when the block ends well and vanishes when it raises."""
    make_folder(target.parent)
    draft = Path(tempfile.mkdtemp(prefix=LEFT_OVER_PREFIX, dir=target.parent))
    try:
        yield draft
        publish_folder(draft, target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def publish_folder(draft: Path, target: Path) -> None:
    """Sync a finished folder on the same file system as ``target`` and rename it, replacing an older one."""
    make_folder(target.parent)
    draft.chmod(0o777 & ~_umask())
    for path in sorted(draft.rglob("*")):
        _sync(path)
    _sync(draft)
    replace(draft, target)
    _sync(target.parent)


def replace(source: Path, target: Path) -> None:
    """Rename a file or folder to ``target``; an older file or folder there is replaced without a moment of absence.

    Where the platform cannot exchange two names at once, an older folder is set aside for the moment between two
    renames, and :func:`recover` brings it back if the process is killed in it.
    """
    recover(target)
    try:
        os.replace(source, target)
    except OSError:
        if not os.path.lexists(target):
            raise
        # First beside the target: wherever the source lies, the older one must never be taken for finished work there.
        with tempfile.TemporaryDirectory(
            prefix=LEFT_OVER_PREFIX, dir=target.parent, ignore_cleanup_errors=True
        ) as beside:
            draft = Path(beside) / target.name
            os.replace(source, draft)
            if not _exchanged(draft, target):
                _replace_in_two_steps(draft, target)


def recover(target: Path) -> None:
    """Bring back what :func:`replace` had set aside when its process was killed, unless the new one is there."""
    aside = _aside(target)
    if not os.path.lexists(aside):
        return
    lock = FileLock.take(_aside_lock(target))
    if lock is None:  # it is being replaced right now
        return
    if os.path.lexists(target):
        remove(aside)
    elif os.path.lexists(aside):
        os.replace(aside, target)
    lock.release()


def make_folder(folder: Path) -> None:
    """Make a folder with its parents, if missing, so that it outlives a loss of power."""
    missing = list(takewhile(lambda path: not path.exists(), (folder, *folder.parents)))
    folder.mkdir(parents=True, exist_ok=True)
    for path in reversed(missing):
        _sync(path.parent)


def remove(path: Path) -> None:
    """Remove a file, a link or a folder, if there is one."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _exchanged(one: Path, other: Path) -> bool:
    """Swap the names of two paths at once and return whether the platform and the file system could."""
    exchange = _platform_exchange()
    return exchange is not None and exchange(os.fsencode(one), os.fsencode(other)) == 0


@cache
def _platform_exchange() -> Exchange | None:
    library = ctypes.CDLL(None)
    if sys.platform == "darwin" and hasattr(library, "renamex_np"):
        return lambda one, other: library.renamex_np(one, other, _SWAP)
    if hasattr(library, "renameat2"):
        return lambda one, other: library.renameat2(_HERE, one, _HERE, other, _SWAP)
    return None


def _replace_in_two_steps(draft: Path, target: Path) -> None:
    with locked(_aside_lock(target)):
        os.replace(target, _aside(target))
        os.replace(draft, target)
        remove(_aside(target))


def _aside(target: Path) -> Path:
    return target.with_name(_SET_ASIDE_PREFIX + target.name)


def _aside_lock(target: Path) -> Path:
    return target.with_name(f"{_SET_ASIDE_PREFIX}{target.name}.lock")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    """Return the process's umask, which can only be read by setting it."""
    current = os.umask(0o022)
    os.umask(current)
    return current
