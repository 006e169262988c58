"""The main job on the tiny embedded corpus: whole, twice, stage by stage, and through the notebook."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from nbclient import NotebookClient

from coresift.hooks import PIPELINES

TIMED = {
    "training_log",
    "selection_report",
    "evaluation_report",
    "descent_plot",
    "ingestion_report",
    "surrogate_metrics",
}
"""Reports, logs and traces may hold times."""


def session(root: Path, data_dir: Path) -> KedroSession:
    bootstrap_project(root)
    return KedroSession.create(root, env="test", runtime_params={"data_dir": str(data_dir)})


def versions(data_dir: Path) -> dict[str, list[Path]]:
    """Return the version folders of every dataset by the dataset's file name without its suffix."""
    found = {path.name.split(".")[0]: sorted(path.iterdir()) for path in data_dir.glob("[!.]*/*") if path.is_dir()}
    return {name: folders for name, folders in found.items() if folders}


def content(version: Path) -> dict[str, str]:
    """Return the digest of every file below one version."""
    files = sorted(file for file in version.rglob("*") if file.is_file())
    return {str(file.relative_to(version)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, project_root: Path) -> tuple[Path, str]:
    """Run everything once as a user would and return the data folder and what was printed."""
    data_dir = tmp_path_factory.mktemp("run") / "data"
    command = [str(Path(sys.executable).parent / "kedro"), "run", "--env", "test", "--params", f"data_dir={data_dir}"]
    done = subprocess.run(command, cwd=project_root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return data_dir, done.stdout + done.stderr


def test_every_dataset_is_there(finished: tuple[Path, str], project_root: Path) -> None:
    data_dir, _ = finished
    with session(project_root, data_dir) as opened:
        catalog = opened.load_context().catalog
        names = [name for name in catalog.keys() if not name.startswith(("params:", "parameters"))]
        assert len(names) > 25
        assert [name for name in names if not catalog.exists(name)] == []


def test_the_run_ends_with_a_table_and_the_place_of_the_report(finished: tuple[Path, str]) -> None:
    data_dir, printed = finished
    report = versions(data_dir)["evaluation_report"][-1] / "evaluation_report.html"
    for word in (
        "recall@10",
        "ndcg@10",
        "Tuned model",
        "Untuned model",
        "Most popular",
        "Surrogate",
        "stages:",
        "report:",
    ):
        assert word in printed
    assert report.read_text().lstrip().lower().startswith("<!doctype html>")


def test_a_second_run_is_identical_to_the_bit(finished: tuple[Path, str], project_root: Path) -> None:
    data_dir, _ = finished
    with session(project_root, data_dir) as opened:
        opened.run()
    for name, folders in versions(data_dir).items():
        assert len(folders) == 2, name
        if name not in TIMED:
            assert content(folders[0]) == content(folders[1]), name


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_every_pipeline_runs_alone(pipeline: str, finished: tuple[Path, str], project_root: Path) -> None:
    data_dir, _ = finished
    with session(project_root, data_dir) as opened:
        assert opened.run(pipeline_names=[pipeline]) is not None


def test_the_notebook_runs(finished: tuple[Path, str], project_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data_dir, _ = finished
    monkeypatch.setenv("CORESIFT_DATA_DIR", str(data_dir))
    folder = project_root / "notebooks"
    notebook = nbformat.read(folder / "inspect_a_run.ipynb", as_version=4)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(folder)}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert any("recall@10" in str(output) for output in outputs)
