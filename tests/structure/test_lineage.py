"""The lineage that people see in kedro-viz: nine layers, and a sentence on every node."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

LAYERS = [
    "raw",
    "intermediate",
    "primary",
    "surrogate",
    "feature",
    "model_input",
    "models",
    "model_output",
    "reporting",
]


@pytest.fixture(scope="module")
def lineage(tmp_path_factory: pytest.TempPathFactory, project_root: Path) -> dict:
    """Build the static site from a copy of the project's configuration and return its main document."""
    pytest.importorskip("kedro_viz", reason="kedro-viz is not installed")
    copy = tmp_path_factory.mktemp("viz")
    for name in ("conf", "src"):
        shutil.copytree(project_root / name, copy / name)
    for name in ("pyproject.toml", ".telemetry"):
        shutil.copy(project_root / name, copy / name)
    command = [str(Path(sys.executable).parent / "kedro"), "viz", "build"]
    subprocess.run(command, cwd=copy, check=True, capture_output=True)
    return json.loads((copy / "build" / "api" / "main").read_text())


def test_layers_are_the_nine_of_the_design(lineage: dict) -> None:
    assert lineage["layers"] == LAYERS


def test_every_dataset_has_a_layer(lineage: dict) -> None:
    without = [node["name"] for node in lineage["nodes"] if node["type"] == "data" and not node["layer"]]
    assert without == []


def test_every_pipeline_is_a_box(lineage: dict) -> None:
    boxes = {node["name"] for node in lineage["nodes"] if node["type"] == "modularPipeline"}
    assert len(boxes) == 8
