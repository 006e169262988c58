"""No stage reads datasets of different origins, and every dataset of a run says where it came from."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from kedro.framework.startup import bootstrap_project
from safetensors.torch import load_file, save_file

from coresift.cli import run


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def kedro_run(data_dir: Path, project_root: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run pipelines on the tiny embedded corpus with further parameters or options."""
    monkeypatch.chdir(project_root)
    bootstrap_project(project_root)

    def invoke(pipelines: str, *parameters: str, options: tuple[str, ...] = ()) -> Result:
        given = ",".join([f"data_dir={data_dir}", "threads=1", *parameters])
        arguments = ["--env", "test", "--pipelines", pipelines, "--params", given, *options]
        return CliRunner().invoke(run, arguments)

    return invoke


def versions(data_dir: Path, dataset: str) -> list[Path]:
    return sorted(path for path in data_dir.glob(f"*/{dataset}/*") if path.is_dir())


def expect_mixture(result: Result, *words: str) -> None:
    assert result.exit_code == 1, result.output
    assert "Traceback" not in result.output
    for word in ("different results of", *words):
        assert word in result.output


def test_stages_of_two_ingestions_are_refused_before_anything_is_computed(kedro_run, data_dir) -> None:
    assert kedro_run("ingestion,foundation,prompting").exit_code == 0
    assert kedro_run("ingestion", "ingestion.min_rating=3").exit_code == 0
    before = {path for path in data_dir.rglob("*") if path.is_file()}
    old, new = (path.name for path in versions(data_dir, "samples.parquet"))
    result = kedro_run("attribution")
    expect_mixture(result, f"prompts of run {old}", f"of run {new}", "kedro run --pipelines=prompting")
    assert {path for path in data_dir.rglob("*") if path.is_file()} == before


def test_versions_of_one_origin_can_be_read_by_name(kedro_run, data_dir) -> None:
    assert kedro_run("ingestion,foundation").exit_code == 0
    old = versions(data_dir, "samples.parquet")[0].name
    assert kedro_run("ingestion", "ingestion.min_rating=3").exit_code == 0
    expect_mixture(kedro_run("prompting"))
    pinned = ",".join(f"{name}:{old}" for name in ("samples", "items", "users"))
    result = kedro_run("prompting", options=("--load-versions", pinned))
    assert result.exit_code == 0, result.output


def test_tables_of_a_killed_ingestion_are_not_read_with_those_of_the_one_before(kedro_run, data_dir) -> None:
    assert kedro_run("ingestion,foundation").exit_code == 0
    assert kedro_run("ingestion", "ingestion.min_rating=3").exit_code == 0
    for dataset in ("users.parquet", "samples.parquet"):
        shutil.rmtree(versions(data_dir, dataset)[-1])
    expect_mixture(kedro_run("prompting"), "samples", "items", "--pipelines=ingestion")


def test_an_ingestion_repeated_with_equal_inputs_goes_on_with_what_was_made_before(kedro_run, data_dir) -> None:
    assert kedro_run("ingestion,foundation").exit_code == 0
    assert kedro_run("ingestion", "threads=2").exit_code == 0
    result = kedro_run("prompting")
    assert result.exit_code == 0, result.output


def test_a_dataset_that_could_not_be_saved_leaves_no_lineage(kedro_run, data_dir, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("coresift.datasets.arrow_table_dataset.write_table", full)
    assert kedro_run("ingestion").exit_code == 1
    assert not [path for path in data_dir.glob("[!.]*/**/*") if path.is_file()]


def test_a_base_model_whose_weights_changed_in_place_is_of_another_origin(kedro_run, data_dir, tmp_path) -> None:
    assert kedro_run("ingestion,foundation").exit_code == 0
    model = tmp_path / "model"
    shutil.copytree(versions(data_dir, "base_model")[0] / "base_model", model)
    given = f"foundation.model={model}"
    assert kedro_run("foundation,prompting", given).exit_code == 0
    weights = load_file(model / "model.safetensors")
    save_file({name: tensor * 3 for name, tensor in weights.items()}, model / "model.safetensors", {"format": "pt"})
    assert kedro_run("foundation", given).exit_code == 0
    expect_mixture(kedro_run("attribution", given), "prompts", "base_model", "foundation.build_base_model")
