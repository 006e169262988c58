"""Folders with one owner at a time: locks that the kernel takes back from a process that ends, however it ends."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import shutil
import tempfile
import uuid
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

logger = logging.getLogger(__name__)

LOCK_NAME = ".owner"
"""Name of the empty file in a folder that its owner keeps locked; it is gone when nobody owns the folder."""
_BESIDE = "beside-"
_DISCARDED = ".discarded-"
_HELD_BY_ANOTHER = frozenset({errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES})


class FileLock:
    """A lock that one holder in one process has, until it is released or the process ends.

    Made by :meth:`take`. On a file system without locks it is granted to everybody.
    """

    def __init__(self, file: Path, descriptor: int) -> None:
        self.file = file
        self._descriptor = descriptor
        self._close = weakref.finalize(self, os.close, descriptor)

    @classmethod
    def take(cls, file: Path, *, wait: bool = False) -> FileLock | None:
        """Lock a file, which is made if it is missing.

        Args:
            file: The file, in a folder that exists.
            wait: Whether to wait while another holder has it.

        Returns:
            The lock; None where another holder or another account has it, or the folder is gone.

        Raises:
            PermissionError: If no file can be made in the folder.
        """
        while True:
            try:
                descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            except FileNotFoundError:
                return None
            except PermissionError:
                if file.exists():
                    return None
                raise
            lock = cls(file, descriptor)
            if not lock._obtained(wait):
                lock._close()
                return None
            if lock.is_in_place:
                return lock
            lock._close()  # its last holder has deleted the file meanwhile: another one may be there by now

    @property
    def is_in_place(self) -> bool:
        """Whether the locked file is still the one that others find under its name."""
        try:
            found = self.file.lstat()
        except OSError:
            return False
        own = os.fstat(self._descriptor)
        return (found.st_dev, found.st_ino) == (own.st_dev, own.st_ino)

    def release(self) -> None:
        """Delete the file and give the lock back."""
        if self._close.alive:
            if self.is_in_place:
                self.file.unlink()
            self._close()

    def _obtained(self, wait: bool) -> bool:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except OSError as error:
            if error.errno in _HELD_BY_ANOTHER:
                return False
            logger.warning("'%s' cannot be locked (%s): do not start equal runs at once.", self.file, error.strerror)
        return True


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold the lock of a file for the length of a short ``with`` block, after those who have it now."""
    lock = FileLock.take(file, wait=True)
    try:
        yield
    finally:
        if lock is not None:
            lock.release()


@contextmanager
def owned_folder(folder: Path) -> Iterator[Path]:
    """Yield a folder that nobody else works in: ``folder`` itself, kept at the end, or a fresh one in its stead.

    The fresh one lies in ``folder`` and is deleted at the end. It is what a second process or thread gets, so that
    both end well, each with all of its own work.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock.take(folder / LOCK_NAME)
    if lock is None:
        logger.info("Another run works in '%s': this one starts afresh beside it.", folder)
        with fresh_folder(folder, _BESIDE) as beside:
            yield beside
        return
    try:
        discard_left_overs(folder, _BESIDE)
        yield folder
    finally:
        lock.release()


@contextmanager
def fresh_folder(parent: Path | None, prefix: str) -> Iterator[Path]:
    """Yield a new private folder, owned for the length of a ``with`` block and deleted at its end.

    Args:
        parent: Where it is made; None is the machine's temporary folder.
        prefix: How its name begins; what a killed process left under such names goes with ``discard_left_overs``.
    """
    lock = None
    while lock is None:  # somebody may take a folder that is not locked yet for a left-over
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        lock = FileLock.take(folder / LOCK_NAME)
    try:
        yield folder
    finally:
        discard(folder)
        lock.release()


def discard_left_overs(parent: Path, prefix: str) -> None:
    """Delete the fresh folders with such names whose owners are gone; those of living owners stay."""
    for folder in [path for path in parent.iterdir() if path.name.startswith(prefix) and path.is_dir()]:
        with suppress(PermissionError):  # another account's
            lock = FileLock.take(folder / LOCK_NAME)
            if lock is not None:
                discard(folder)
                lock.release()


def discard(folder: Path) -> None:
    """Delete a folder at once for everybody who looks, even where deleting its files takes long or is cut short."""
    for left_over in folder.parent.glob(f"{_DISCARDED}*"):
        shutil.rmtree(left_over, ignore_errors=True)
    discarded = folder.with_name(_DISCARDED + uuid.uuid4().hex)
    try:
        folder.rename(discarded)
    except FileNotFoundError:  # it has moved to where it was made for
        return
    shutil.rmtree(discarded, ignore_errors=True)
