"""A folder has one owner at a time, whatever becomes of its process; what killed owners left goes."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from coresift.storage import discard_left_overs, fresh_folder, owned_folder
from coresift.storage.ownership import LOCK_NAME, FileLock
from coresift.storage.work_folders import (
    finish_work,
    leave_work,
    private_temporary_folder,
    work_folder,
    work_in_progress,
)

IN_ANOTHER_PROCESS = """
import sys
from coresift.storage import fresh_folder, work_folder
from pathlib import Path
if sys.argv[1] == "work":
    print(work_folder(sys.argv[2], "norms", 1), flush=True)
    sys.stdin.read()
with fresh_folder(Path(sys.argv[2]), "steps-") as folder:
    print(folder, flush=True)
    sys.stdin.read()
"""


class Run:
    """A process that works in a folder until it is told to stop or killed."""

    def __init__(self, kind: str, where: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", IN_ANOTHER_PROCESS, kind, str(where)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.folder = Path(self.process.stdout.readline().strip())

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()


@pytest.fixture(autouse=True)
def no_claims():
    yield
    leave_work()


def test_a_second_run_of_equal_work_gets_its_own_folder_and_a_killed_one_leaves_its_to_the_next(tmp_path):
    first = Run("work", tmp_path)
    (first.folder / "shard").write_text("done")
    second = work_folder(str(tmp_path), "norms", 1)
    assert second != first.folder
    assert not list(second.iterdir())
    first.kill()
    leave_work()
    assert work_folder(str(tmp_path), "norms", 1) == first.folder
    assert (first.folder / "shard").read_text() == "done"


def test_finished_work_and_what_killed_runs_left_of_it_are_deleted_and_nothing_else(tmp_path):
    killed, alive = Run("work", tmp_path), Run("work", tmp_path)
    own, other = work_folder(str(tmp_path), "norms", 1), work_folder(str(tmp_path), "norms", 2)
    leave_work()
    assert len({killed.folder, alive.folder, own, other}) == 4
    killed.kill()
    assert work_folder(str(tmp_path), "norms", 1) == killed.folder
    finish_work()
    assert sorted(path.name for path in alive.folder.parent.iterdir()) == sorted(
        [alive.folder.name, f".{alive.folder.name}.lock", other.name]
    )
    alive.kill()


def test_only_what_other_processes_work_in_is_in_progress(tmp_path):
    assert work_in_progress(tmp_path) == []
    own, alive = work_folder(str(tmp_path), "norms", 2), Run("work", tmp_path)
    assert work_in_progress(tmp_path) == [alive.folder.name]
    alive.kill()
    assert work_in_progress(tmp_path) == []
    assert own.is_dir()


def test_another_thread_is_another_owner_until_it_ends(tmp_path):
    seen = []

    def work():
        seen.append(work_folder(str(tmp_path), "norms", 1))

    own = work_folder(str(tmp_path), "norms", 1)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen[0] != own
    assert work_folder(str(tmp_path), "norms", 1) == own
    leave_work()
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen[1] == work_folder(str(tmp_path), "norms", 1) == own


def test_work_folders_are_private(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for place in (str(tmp_path / "data"), f"file://{tmp_path}/local", "s3://bucket/shop"):
        assert stat.S_IMODE(work_folder(place, "finetuning", place).stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "coresift").stat().st_mode) == 0o700
    assert (tmp_path / "local" / ".work").is_dir()


@pytest.mark.parametrize("trap", ["link", "writable", "file"])
def test_a_temporary_folder_that_others_can_reach_is_refused(tmp_path, monkeypatch, trap):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    place = tmp_path / "coresift"
    if trap == "link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        place.symlink_to(tmp_path / "elsewhere")
    elif trap == "file":
        place.write_text("")
    else:
        place.mkdir()
        place.chmod(0o777)
    with pytest.raises(ValueError, match="set TMPDIR to a folder of your own"):
        work_folder("s3://bucket/shop", "finetuning", 1)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of other accounts")
def test_what_another_account_made_is_not_taken_over(tmp_path, monkeypatch):
    planted = work_folder(str(tmp_path), "finetuning", 1)
    leave_work()
    os.chown(planted, 65534, 65534)
    assert work_folder(str(tmp_path), "finetuning", 1) != planted
    finish_work()
    assert planted.is_dir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    os.chown(private_temporary_folder(), 65534, 65534)
    with pytest.raises(ValueError, match="open to another account"):
        work_folder("s3://bucket/shop", "finetuning", 1)


def test_a_planted_link_is_not_followed(tmp_path):
    planted = work_folder(str(tmp_path), "finetuning", 1)
    leave_work()
    planted.rmdir()
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    planted.symlink_to(tmp_path / "elsewhere")
    assert not work_folder(str(tmp_path), "finetuning", 1).is_symlink()


def test_of_two_at_once_in_one_folder_each_has_its_own(tmp_path):
    with owned_folder(tmp_path) as first, owned_folder(tmp_path) as second:
        assert first == tmp_path != second
        (first / "checkpoint").write_text("first")
        (second / "checkpoint").write_text("second")
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]
    with owned_folder(tmp_path) as again:
        assert (again / "checkpoint").read_text() == "first"


def test_left_overs_of_the_killed_go_and_those_of_the_living_stay(tmp_path):
    killed, alive = Run("steps", tmp_path), Run("steps", tmp_path)
    killed.kill()
    with fresh_folder(tmp_path, "steps-") as own:
        discard_left_overs(tmp_path, "steps-")
        assert {path.name for path in tmp_path.iterdir()} == {alive.folder.name, own.name}
        assert (alive.folder / LOCK_NAME).exists()
    alive.kill()
    discard_left_overs(tmp_path, "steps-")
    assert not list(tmp_path.iterdir())


def test_a_lock_whose_file_was_deleted_meanwhile_locks_nobody_out(tmp_path):
    first = FileLock.take(tmp_path / "lock")
    assert FileLock.take(tmp_path / "lock") is None
    (tmp_path / "lock").unlink()
    second = FileLock.take(tmp_path / "lock")
    first.release()
    assert FileLock.take(tmp_path / "lock") is None
    second.release()
    assert not list(tmp_path.iterdir())
    assert FileLock.take(tmp_path / "absent" / "lock") is None
