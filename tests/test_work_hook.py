"""Work folders are empty once everything is saved, and not a moment earlier."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.io import DataCatalog, DatasetError, MemoryDataset
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner, ThreadRunner

from coresift.datasets import JsonDataset, ModelDirectoryDataset
from coresift.hooks import WorkHook
from coresift.storage import finish_work, leave_work, work_folder


@pytest.fixture(autouse=True)
def no_claims():
    yield
    leave_work()


def work(root: Path) -> list[str]:
    return sorted(path.name for path in (root / ".work").iterdir())


def train(root: str):
    folder = work_folder(root, "training", 1)
    (folder / "model").mkdir(exist_ok=True)
    (folder / "model" / "config.json").write_text("{}")
    (folder / "checkpoint").write_text("large")
    return folder / "model", {"loss": 1.0}


def run(root: Path, *, runner=SequentialRunner, log=None, model=None, function=train, then=None):
    nodes = [Node(function, "root", ["model", "log"], name="train")]
    nodes += [Node(then, "model", "found", name="then")] if then else []
    catalog = DataCatalog(
        {
            "root": MemoryDataset(str(root)),
            "model": model or ModelDirectoryDataset(filepath=str(root / "models" / "model")),
            "log": log or JsonDataset(filepath=str(root / "models" / "log.json")),
        }
    )
    hooks = _create_hook_manager()
    hook = WorkHook()
    hooks.register(hook)
    try:
        return runner().run(Pipeline(nodes), catalog, hook_manager=hooks)
    except Exception as error:
        hooks.hook.on_pipeline_error(error=error, run_params={}, pipeline=Pipeline(nodes), catalog=catalog)
        raise


@pytest.mark.parametrize("runner", [SequentialRunner, ThreadRunner])
def test_a_node_whose_outputs_are_saved_leaves_no_work(tmp_path, runner):
    run(tmp_path, runner=runner)
    assert (tmp_path / "models" / "model" / "config.json").is_file()
    assert work(tmp_path) == []


def test_work_stays_while_an_output_is_not_saved_and_serves_the_next_run(tmp_path):
    class Full(JsonDataset):
        def save(self, data):
            raise DatasetError("disk full")

    with pytest.raises(DatasetError, match="disk full"):
        run(tmp_path, log=Full(filepath=str(tmp_path / "log.json")))
    assert len(work(tmp_path)) == 1
    seen = []

    def resumed(root):
        seen.append((work_folder(root, "training", 1) / "checkpoint").read_text())
        return train(root)

    run(tmp_path, function=resumed)
    assert seen == ["large"]
    assert work(tmp_path) == []


def test_work_of_a_node_that_fails_stays_for_the_next_run(tmp_path):
    def fails(root):
        train(root)
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        run(tmp_path, function=fails)
    (folder,) = work(tmp_path)
    assert (tmp_path / ".work" / folder / "checkpoint").is_file()


def test_work_that_is_handed_over_by_its_path_stays(tmp_path):
    found = run(
        tmp_path, model=MemoryDataset(copy_mode="assign"), then=lambda folder: (folder / "config.json").exists()
    )
    assert found["found"].load()
    assert len(work(tmp_path)) == 1


def test_work_of_a_node_in_another_thread_stays_its_own(tmp_path):
    started, ended, made = threading.Event(), threading.Event(), []

    def beside():
        made.append(work_folder(str(tmp_path), "beside", 1))
        started.set()
        ended.wait(60)
        made.append(work_folder(str(tmp_path), "beside", 1))

    thread = threading.Thread(target=beside)
    thread.start()
    started.wait(60)
    run(tmp_path)
    run(tmp_path, model=MemoryDataset(copy_mode="assign"), then=lambda folder: folder.name)
    assert work_folder(str(tmp_path), "beside", 1) != made[0]
    ended.set()
    thread.join()
    assert made[0] == made[1]


def test_other_work_stays(tmp_path):
    other = work_folder(str(tmp_path), "training", 2)
    leave_work()
    run(tmp_path)
    assert work(tmp_path) == [other.name]
    finish_work()
    assert work(tmp_path) == [other.name]


def test_the_project_uses_the_hook():
    from coresift.settings import HOOKS

    assert any(isinstance(hook, WorkHook) for hook in HOOKS)
