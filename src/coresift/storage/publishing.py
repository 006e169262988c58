"""Write beside the target, sync, rename: a local file or folder that exists is complete.

A process killed at any moment leaves at most a hidden left-over beside the target, never a truncated target.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LEFT_OVER_PREFIX = ".writing-"


@contextmanager
def atomic_file(target: Path) -> Iterator[Path]:
    """Yield a path to fill; it becomes ``target`` when the block ends well and vanishes when it raises."""
    target.parent.mkdir(parents=True, exist_ok=True)
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
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=LEFT_OVER_PREFIX, dir=target.parent))
    try:
        yield draft
        publish_folder(draft, target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def publish_folder(draft: Path, target: Path) -> None:
    """Sync a finished folder on the same file system as ``target`` and rename it, replacing an older one."""
    draft.chmod(0o777 & ~_umask())
    for path in sorted(draft.rglob("*")):
        _sync(path)
    _sync(draft)
    if target.exists():
        older = Path(tempfile.mkdtemp(prefix=LEFT_OVER_PREFIX, dir=target.parent)) / "older"
        os.replace(target, older)
        os.replace(draft, target)
        shutil.rmtree(older.parent)
    else:
        os.replace(draft, target)
    _sync(target.parent)


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
