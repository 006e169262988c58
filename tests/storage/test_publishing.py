"""A killed or failed write leaves the target as it was."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from coresift.storage import atomic_file, atomic_folder

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
