"""A full or closed disk is told in one sentence, in whichever words a library puts it; other errors pass."""

import errno
from pathlib import Path

import pytest
from safetensors import SafetensorError

from coresift.storage import DiskError, disk_errors_named, disk_failure

TORN = "[enforce fail at inline_container.cc:668] . unexpected pos 704 vs 598"
FULL = [
    OSError(errno.ENOSPC, "No space left on device"),
    OSError(errno.EDQUOT, "Disk quota exceeded"),
    RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed"),
    RuntimeError(TORN),
    SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
    RuntimeError('IO Error: Could not write all bytes to file "x": No space left on device'),
]
OTHERS = [
    FileNotFoundError(errno.ENOENT, "No such file or directory"),
    RuntimeError("PytorchStreamReader failed reading zip archive: failed finding central directory"),
    ValueError("too much space left"),
]


@pytest.mark.parametrize("error", FULL, ids=lambda error: str(error)[:40])
def test_a_full_disk_becomes_one_sentence_that_names_the_folder(error: Exception, tmp_path: Path) -> None:
    with pytest.raises(DiskError, match=r"could not be written to \(.*MiB are free\): make room") as info:
        with disk_errors_named(tmp_path / "not" / "made"):
            raise error
    assert str(tmp_path / "not" / "made") in str(info.value)
    assert info.value.__cause__ is error


@pytest.mark.parametrize("error", OTHERS, ids=lambda error: str(error)[:40])
def test_every_other_error_passes(error: Exception, tmp_path: Path) -> None:
    with pytest.raises(type(error)) as info, disk_errors_named(tmp_path):
        raise error
    assert info.value is error
    assert disk_failure(error) is None


def test_an_error_behind_an_error_counts() -> None:
    with pytest.raises(RuntimeError) as info:
        try:
            raise OSError(errno.EROFS, "Read-only file system")
        except OSError as error:
            raise RuntimeError("saving failed") from error
    assert disk_failure(info.value) == "read-only file system"
