"""One promise on the local disk and on stores that cannot rename."""

from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
from fsspec import AbstractFileSystem

from coresift.storage import WORK_FOLDER_NAME, Location, newest_version


@pytest.fixture(params=["file", "memory"])
def filesystem(request: pytest.FixtureRequest) -> Iterator[AbstractFileSystem]:
    found = fsspec.filesystem(request.param)
    yield found
    if request.param == "memory":
        found.store.clear()


def make_folder(path: Path) -> Path:
    (path / "inner").mkdir(parents=True)
    (path / "config.json").write_text("{}")
    (path / "inner" / "weights").write_text("w")
    return path


def test_a_file_exists_only_after_the_writing_block(filesystem: AbstractFileSystem, tmp_path: Path) -> None:
    location = Location(filesystem, f"{tmp_path}/store/table")
    with location.writing_file() as draft:
        draft.write_text("content")
        assert not location.exists()
    assert location.exists()
    assert location.local_copy().read_text() == "content"


def test_a_failed_file_is_absent(filesystem: AbstractFileSystem, tmp_path: Path) -> None:
    location = Location(filesystem, f"{tmp_path}/store/table")
    with pytest.raises(RuntimeError), location.writing_file() as draft:
        draft.write_text("half")
        raise RuntimeError
    assert not location.exists()


def test_a_folder_is_stored_with_its_inner_files(filesystem: AbstractFileSystem, tmp_path: Path) -> None:
    location = Location(filesystem, f"{tmp_path}/store/model")
    source = make_folder(tmp_path / "made")
    location.save_folder(source)
    copy = location.local_copy()
    assert location.exists()
    assert (copy / "inner" / "weights").read_text() == "w"
    assert source.exists(), "a folder of the user is copied, not moved"


def test_an_interrupted_upload_counts_as_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filesystem = fsspec.filesystem("memory")
    location = Location(filesystem, "/store/model")
    put_file = filesystem.put_file

    def fail_on_the_second(local: str, remote: str) -> None:
        if "inner" in remote:
            raise ConnectionError("cut")
        put_file(local, remote)

    monkeypatch.setattr(filesystem, "put_file", fail_on_the_second)
    with pytest.raises(ConnectionError):
        location.save_folder(make_folder(tmp_path / "made"))
    assert filesystem.exists("/store/model/config.json")
    assert not location.exists()
    filesystem.store.clear()


def test_a_folder_in_the_work_folder_is_moved(tmp_path: Path) -> None:
    source = make_folder(tmp_path / WORK_FOLDER_NAME / "model-1")
    location = Location(fsspec.filesystem("file"), str(tmp_path / "store" / "model"))
    location.save_folder(source)
    assert location.exists()
    assert not source.exists()


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="is not a folder"):
        Location(fsspec.filesystem("file"), str(tmp_path / "store")).save_folder(tmp_path / "file")


def test_paths_on_a_store_are_names_and_never_patterns(filesystem: AbstractFileSystem, tmp_path: Path) -> None:
    places = {name: Location(filesystem, f"{tmp_path}/store/{name}/model") for name in ("run1", "run[1]", "run*")}
    for name, location in places.items():
        source = make_folder(tmp_path / f"made {len(name)} {name == 'run*'}")
        (source / "config.json").write_text(name)
        location.save_folder(source)
    places["run[1]"].save_folder(make_folder(tmp_path / "made again"))
    read = {name: (location.local_copy() / "config.json").read_text() for name, location in places.items()}
    assert read == {"run1": "run1", "run[1]": "{}", "run*": "run*"}


def test_a_replaced_folder_keeps_no_file_of_the_older_one(filesystem: AbstractFileSystem, tmp_path: Path) -> None:
    location = Location(filesystem, f"{tmp_path}/store/model[1]")
    source = make_folder(tmp_path / "made")
    (source / "old").write_text("old")
    location.save_folder(source)
    (source / "old").unlink()
    location.save_folder(source)
    names = {path.name for path in location.local_copy().rglob("*") if path.is_file()}
    assert names == {"config.json", "weights"}


@pytest.mark.parametrize("folder", ["data", "run[1]*", "~", "a b{c}"])
def test_the_newest_version_is_the_last_name_under_which_the_dataset_lies(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    dataset = Path(folder) / "primary" / "items.parquet"
    assert newest_version(dataset) is None
    for name in ("2026-01-02", "2026-01-01"):
        (dataset / name).mkdir(parents=True)
        (dataset / name / "items.parquet").touch()
    (dataset / "2026-01-03").mkdir()
    assert newest_version(dataset) == dataset / "2026-01-02" / "items.parquet"
    assert newest_version(tmp_path / dataset) == tmp_path / dataset / "2026-01-02" / "items.parquet"


def test_the_newest_version_on_a_store_is_the_last_whole_one(filesystem: AbstractFileSystem, tmp_path: Path) -> None:
    dataset = Location(filesystem, f"{tmp_path}/items.json")
    assert dataset.newest_version() is None
    for name in ("1", "2"):
        with Location(filesystem, f"{dataset.path}/{name}/items.json").writing_file() as draft:
            draft.write_text(name)
    filesystem.makedirs(f"{dataset.path}/3", exist_ok=True)
    assert dataset.newest_version() == "2"
