"""Pipelines are listed in the order of a sample's journey, and only those that are asked for are imported."""

from __future__ import annotations

import subprocess
import sys

import pytest
from kedro.framework.project import configure_project
from kedro.pipeline import Pipeline

from coresift import pipeline_registry

JOURNEY = "ingestion foundation prompting surrogate attribution selection finetuning evaluation".split()
SELECTIVE = """
import sys
from kedro.framework.project import configure_project, pipelines
configure_project("coresift")
pipelines.set_requested(["prompting"])
print(list(pipelines), "coresift.pipelines.evaluation" in sys.modules)
"""


def test_pipelines_come_in_the_order_of_a_sample_s_journey() -> None:
    configure_project("coresift")
    found = pipeline_registry.register_pipelines()
    assert [name for name in found if name in JOURNEY] == JOURNEY


@pytest.mark.parametrize("order", [sorted(JOURNEY), sorted(JOURNEY, reverse=True)])
def test_the_order_does_not_depend_on_that_of_the_folders(monkeypatch: pytest.MonkeyPatch, order: list[str]) -> None:
    found = {name: Pipeline([]) for name in ["__default__", "refresh", *order, "a_team_s_own"]}
    monkeypatch.setattr(pipeline_registry, "find_pipelines", lambda raise_errors: found)
    assert list(pipeline_registry.register_pipelines()) == [*JOURNEY, "a_team_s_own", "refresh", "__default__"]


def test_a_run_of_one_pipeline_imports_no_other() -> None:
    finished = subprocess.run([sys.executable, "-c", SELECTIVE], capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == "['prompting', '__default__'] False"
