"""Folders in which long work is built and resumed before it moves into its version: private, owned, emptied."""

from __future__ import annotations

import itertools
import logging
import os
import stat
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Thread
from threading import current_thread as _this_thread

from coresift.storage.fingerprints import fingerprint
from coresift.storage.ownership import FileLock, discard

logger = logging.getLogger(__name__)

WORK_FOLDER_NAME = ".work"
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True)
class _Claim:
    """A thread's right to a work folder.

    Attributes:
        lock: What keeps others out.
        owner: The thread.
        plain_name: Name of the folder without the number that a second run of equal work adds.
    """

    lock: FileLock
    owner: Thread
    plain_name: str


_claims: dict[Path, _Claim] = {}


def work_folder(data_dir: str, name: str, *parts: object) -> Path:
    """Return ``<data_dir>/.work/<name>-<fingerprint of parts>``, made if missing, private to the user and to this run.

    Equal parts lead to the same folder, so that a killed run finds what it had; different parts, and different
    versions of the project's code, never meet. The folder belongs to this process until :func:`finish_work` or
    :func:`leave_work` is called, or the process ends: a second run of equal work gets a folder of its own, with a
    number added to the name.

    Args:
        data_dir: The project's data folder. Where it is remote, the work is done in the machine's temporary folder.
        name: What is made, for people who look.
        parts: Everything the result depends on beside the code: inputs, parameters. See
            :func:`coresift.storage.fingerprint` for the types allowed.

    Raises:
        ValueError: If the place in the temporary folder is somebody else's.
    """
    root = work_root(data_dir)
    plain_name = f"{name}-{fingerprint(_code(), *parts)}"
    numbered = (plain_name if number == 1 else f"{plain_name}-{number}" for number in itertools.count(1))
    folder = next(root / own_name for own_name in numbered if _claim(root / own_name, plain_name))
    if folder.name != plain_name:
        logger.info("Another run does the same work: this one starts afresh in '%s'.", folder)
    return folder


def work_root(data_dir: str) -> Path:
    """Return the folder of all work folders, made if missing: in the data folder, or in a private temporary one.

    Raises:
        ValueError: If the place in the temporary folder is somebody else's.
    """
    local = data_dir.removeprefix("file://")
    root = (private_temporary_folder() if "://" in local else Path(local).absolute()) / WORK_FOLDER_NAME
    root.mkdir(parents=True, exist_ok=True)
    return root


def private_temporary_folder() -> Path:
    """Return ``coresift`` in the machine's temporary folder, which nobody but the user can read.

    Raises:
        ValueError: If it is a link, or another account made it or can write into it.
    """
    folder = Path(tempfile.gettempdir()).absolute() / "coresift"
    if not _is_private(folder):
        raise ValueError(
            f"'{folder}', where the work for a remote data_dir is done, is a link or open to another account: delete "
            "it, or set TMPDIR to a folder of your own"
        )
    return folder


def finish_work() -> None:
    """Delete the work folders of this thread, and what killed runs left of equal work: the caller has saved it all."""
    for folder, claim in list(_claims.items()):
        if claim.owner is not _this_thread():
            continue
        equal_works = (path for path in folder.parent.glob(f"{claim.plain_name}*") if _is_own(path.lstat()))
        for equal_work in {folder, *equal_works}:
            lock = claim.lock if equal_work == folder else FileLock.take(_lock_file(equal_work))
            if lock is not None:
                discard(equal_work)
                lock.release()
        del _claims[folder]


def leave_work() -> None:
    """Give up the work folders of this thread and of threads that ended, as they are, for a later run."""
    for folder, claim in list(_claims.items()):
        if claim.owner is _this_thread() or not claim.owner.is_alive():
            claim.lock.release()
            del _claims[folder]


def work_in_progress(data_dir: Path) -> list[str]:
    """Return the names of the work folders in a local data folder that other processes work in right now."""
    busy = []
    for file in sorted((data_dir.absolute() / WORK_FOLDER_NAME).glob(".*.lock")):
        folder = file.with_name(file.name.removeprefix(".").removesuffix(".lock"))
        if folder in _claims:
            continue
        lock = FileLock.take(file)
        if lock is None:
            busy.append(folder.name)
        else:
            lock.release()
    return busy


def _claim(folder: Path, plain_name: str) -> bool:
    """Return whether a folder is, or now becomes, this thread's own."""
    held = _claims.get(folder)
    if held is not None and held.lock.is_in_place and (held.owner is _this_thread() or not held.owner.is_alive()):
        lock: FileLock | None = held.lock
    else:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock.take(_lock_file(folder))
    if lock is None:
        return False
    if not _is_private(folder):
        lock.release()
        return False
    _claims[folder] = _Claim(lock, _this_thread(), plain_name)
    return True


def _lock_file(folder: Path) -> Path:
    """Return the file that a folder's owner locks: beside it, because the folder as a whole may move into a version."""
    return folder.with_name(f".{folder.name}.lock")


def _is_private(folder: Path) -> bool:
    """Make a folder that only the user can enter, and return whether it is one: no link, nobody else's."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        found = folder.lstat()
        if not _is_own(found) or found.st_mode & _WRITABLE_BY_OTHERS:
            return False
        folder.chmod(0o700)
    return True


def _is_own(found: os.stat_result) -> bool:
    """Whether something is a folder, and the user's."""
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()


@cache
def _code() -> str:
    """Return the fingerprint of the project's source files."""
    package = Path(__file__).parents[1]
    return fingerprint(*(file.read_bytes() for file in sorted(package.rglob("*.py"))))
