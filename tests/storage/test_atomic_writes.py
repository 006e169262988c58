"""A killed or failed write leaves the target as it was."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import fsspec
import pytest

from coresift.storage import Location, atomic_file, atomic_folder, atomic_writes, replace

WRITE_AND_DIE = """
import os, signal, sys
from pathlib import Path
from coresift.storage import atomic_file, atomic_folder
kind, target = sys.argv[1], Path(sys.argv[2])
with (atomic_file if kind == "file" else atomic_folder)(target) as draft:
    (draft if kind == "file" else draft / "weights").write_text("half of the new con")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_finished_file_replaces_the_old_one_and_leaves_nothing_beside(tmp_path: Path) -> None:
    target = tmp_path / "table.txt"
    target.write_text("old")
    with atomic_file(target) as draft:
        draft.write_text("new")
    assert target.read_text() == "new"
    assert os.listdir(tmp_path) == ["table.txt"]


def test_a_failed_file_leaves_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "table.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError, match="disk"), atomic_file(target) as draft:
        draft.write_text("half")
        raise RuntimeError("disk full")
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["table.txt"]


def test_a_folder_is_replaced_whole(tmp_path: Path) -> None:
    target = tmp_path / "model"
    for content in ("first", "second"):
        with atomic_folder(target) as draft:
            (draft / content).write_text(content)
    assert os.listdir(target) == ["second"]
    assert os.listdir(tmp_path) == ["model"]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_sigkill_while_writing_leaves_the_target_absent(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "target"
    finished = subprocess.run([sys.executable, "-c", WRITE_AND_DIE, kind, str(target)], check=False)
    assert finished.returncode == -signal.SIGKILL
    assert not target.exists()


def write_folder(target: Path, content: str) -> None:
    with atomic_folder(target) as draft:
        (draft / "weights").write_text(content)


def test_a_folder_that_is_replaced_exists_at_every_moment(tmp_path: Path) -> None:
    target = tmp_path / "model"
    write_folder(target, "0")
    missed, done = [], threading.Event()

    def watch() -> None:
        while not done.is_set():
            if not target.is_dir():
                missed.append(1)

    watcher = threading.Thread(target=watch)
    watcher.start()
    for number in range(1, 60):
        write_folder(target, str(number))
    done.set()
    watcher.join()
    assert not missed
    assert (target / "weights").read_text() == "59"
    assert os.listdir(tmp_path) == ["model"]


def replace_and_die(target: Path, fatal: int, *, can_exchange: bool) -> None:
    """Replace a folder in a process that is killed after its n-th rename, if it gets there."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    renamed, plain = [], os.replace

    def replaced(source: object, to: object) -> None:
        plain(source, to)
        renamed.append(to)
        if len(renamed) == fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        os.replace = replaced
        if not can_exchange:
            atomic_writes._platform_exchange = lambda: None
        write_folder(target, "new")
    finally:
        os._exit(0)


@pytest.mark.parametrize("can_exchange", [True, False])
@pytest.mark.parametrize("rename", [1, 2, 3])
def test_sigkill_at_a_rename_leaves_the_old_folder_or_the_new_one(
    tmp_path: Path, rename: int, can_exchange: bool
) -> None:
    target = tmp_path / "model"
    write_folder(target, "old")
    replace_and_die(target, rename, can_exchange=can_exchange)
    assert target.is_dir() or not can_exchange
    assert Location(fsspec.filesystem("file"), str(target)).exists()
    assert (target / "weights").read_text() in ("old", "new")
    write_folder(target, "next")
    assert (target / "weights").read_text() == "next"
    assert not list(tmp_path.glob(".replaced-*"))


def test_files_folders_and_links_replace_one_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tmp_path / "kept"
    write_folder(kept, "kept")
    target, source = tmp_path / "target", tmp_path / "source"
    for can_exchange in (True, False):
        if not can_exchange:
            monkeypatch.setattr(atomic_writes, "_platform_exchange", lambda: None)
        target.symlink_to(kept)
        write_folder(source, "folder")
        replace(source, target)
        assert (target / "weights").read_text() == "folder"
        source.write_text("file")
        replace(source, target)
        assert target.read_text() == "file"
        write_folder(source, "folder")
        replace(source, target)
        assert (target / "weights").read_text() == "folder"
        shutil.rmtree(target)
    assert (kept / "weights").read_text() == "kept"
    assert os.listdir(tmp_path) == ["kept"]


def test_a_folder_that_appears_while_another_is_published_is_replaced(tmp_path: Path) -> None:
    target = tmp_path / "model"
    with atomic_folder(target) as slower:
        (slower / "weights").write_text("slower")
        write_folder(target, "faster")
    assert (target / "weights").read_text() == "slower"
    assert os.listdir(tmp_path) == ["model"]


@pytest.mark.parametrize("kind", [atomic_file, atomic_folder])
def test_every_new_folder_above_the_target_is_synced_into_its_parent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: object
) -> None:
    synced = set()
    sync = os.fsync

    def seen(descriptor: int) -> None:
        synced.add(os.fstat(descriptor).st_ino)
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", seen)
    target = tmp_path / "models" / "adapter" / "2026-01-01" / "adapter"
    with kind(target) as draft:  # type: ignore[operator]
        if draft.is_dir():
            (draft / "weights").write_text("w")
    above = target.parents[:4]
    assert above[-1] == tmp_path
    assert {path.stat().st_ino for path in above} <= synced
