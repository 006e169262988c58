"""data_dir and raw_dir: any name, from any file or the command line, decided in one place; else one sentence."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner, Result
from kedro.framework.context import KedroContext
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from coresift.cli import run
from coresift.hooks.places import check_readable, check_writable, settled

PROJECT = Path("/project")


@pytest.fixture
def conf(tmp_path: Path, project_root: Path) -> Path:
    """A copy of the configuration, to which a test may add files."""
    return shutil.copytree(project_root / "conf", tmp_path / "conf")


@pytest.fixture
def context(conf: Path, project_root: Path) -> Callable[..., KedroContext]:
    """Return the context of a session with these runtime parameters, in an environment."""
    bootstrap_project(project_root)

    def load(env: str | None = None, **given: Any) -> KedroContext:
        session = KedroSession.create(project_root, env=env, runtime_params=given, conf_source=str(conf))
        return session.load_context()

    return load


@pytest.fixture
def kedro_run(conf: Path, project_root: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run a pipeline as the command line does."""
    monkeypatch.chdir(project_root)
    bootstrap_project(project_root)

    def invoke(parameters: str, env: str = "test", pipelines: str = "ingestion") -> Result:
        options = ["--env", env, "--pipelines", pipelines, "--conf-source", str(conf)]
        return CliRunner().invoke(run, [*options, "--params", parameters])

    return invoke


def write(file: Path, **parameters: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(parameters))


def described(context: KedroContext, dataset: str) -> str:
    return str(context.catalog[dataset]._describe()["filepath"])


@pytest.mark.parametrize("file", ["parquet/parameters.yml", "parquet/parameters/places.yml", "local/parameters.yml"])
def test_a_place_in_a_parameter_file_moves_catalog_and_nodes_alike(
    file: str, conf: Path, context: Callable[..., KedroContext], tmp_path: Path
) -> None:
    write(conf / file, data_dir=f"{tmp_path}/kept [1]", raw_dir=f"{tmp_path}/raw {{1}}")
    found = context("parquet")
    assert found.params["data_dir"].root == f"{tmp_path}/kept [1]"
    assert described(found, "items").startswith(f"{tmp_path}/kept [1]/")
    assert described(found, "metrics_plot").startswith(f"{tmp_path}/kept [1]/")
    assert described(found, "raw_items") == f"{tmp_path}/raw {{1}}/items.parquet"


def test_the_command_line_wins_over_files_and_local_ones_over_the_environment(
    conf: Path, context: Callable[..., KedroContext]
) -> None:
    write(conf / "parquet" / "parameters.yml", data_dir="/environment", seed=1, threads=1)
    write(conf / "local" / "parameters.yml", data_dir="/local", seed=2)
    found = context("parquet")
    assert described(found, "items").startswith("/local/")
    assert (found.params["seed"].root, found.params["threads"].root) == (2, 1)
    found = context("parquet", data_dir="/line", seed=3)
    assert described(found, "items").startswith("/line/")
    assert (found.params["data_dir"].root, found.params["seed"].root) == ("/line", 3)


def test_every_hook_sees_the_local_parameters(conf: Path, kedro_run: Callable[..., Result], tmp_path: Path) -> None:
    write(conf / "local" / "parameters.yml", selection={"budget": 5000})
    result = kedro_run(f"data_dir={tmp_path}/data")
    assert result.exit_code == 1
    assert "budget 5000 > " in result.output


def test_a_number_in_a_file_is_told_to_be_put_into_quotes(conf: Path, context: Callable[..., KedroContext]) -> None:
    write(conf / "test" / "parameters" / "places.yml", data_dir=2024)
    with pytest.raises(ValueError, match=r"'data_dir': .* got 2024: .* text in quotes only"):
        context("test")
    write(conf / "test" / "parameters" / "places.yml", data_dir="2024")
    assert context("test").params["data_dir"].root.endswith("/2024")


@pytest.mark.parametrize("name", ['it\'s "q"', "a\\b", "run[1]*?", "50% #1; $x: {y}"])
def test_a_run_writes_into_a_folder_of_any_name_and_reads_it_again(
    name: str, kedro_run: Callable[..., Result], tmp_path: Path
) -> None:
    result = kedro_run(f"data_dir={tmp_path}/{name}/data,threads=1", pipelines="ingestion,prompting,foundation")
    assert result.exit_code == 0, result.output
    assert [path.name for path in tmp_path.iterdir() if path.name != "conf"] == [name]
    folder = tmp_path / name / "data" / "primary" / "prompts.parquet"
    assert len(list(folder.iterdir())) == 1


@pytest.mark.parametrize("name", ["2018", "007", "true", "null", "1e3", "it's [1]"])
def test_raw_data_lies_in_a_folder_of_any_name(
    name: str, kedro_run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = kedro_run(f"data_dir={tmp_path}/data,raw_dir={name}", env="parquet")
    assert result.exit_code == 1
    assert f"raw_dir: '{Path.cwd()}/{name}' cannot be read (no such file or directory)" in result.output
    assert not (tmp_path / "data").exists()


def test_the_user_s_own_folder_is_meant_by_a_tilde(
    kedro_run: Callable[..., Result], project_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home" / "raw").mkdir(parents=True)
    pq.write_table(pa.table({"item_id": ["a"], "title": ["A"]}), tmp_path / "home" / "raw" / "items.parquet")
    result = kedro_run("data_dir=~/data,raw_dir=~/raw", env="parquet")
    assert f"{tmp_path}/home/raw/interactions.parquet" in result.output
    assert kedro_run("data_dir=~/data,threads=1").exit_code == 0
    assert (tmp_path / "home" / "data" / "primary").is_dir()
    assert not (project_root / "~").exists()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", "data_dir"),
        ("'  '", "data_dir is empty"),
        ("a${b}", "'${' begins a reference"),
        ("~no-such-user/x", "names a user whom this machine does not know"),
        ("a\nb", "line end or another control character"),
        ("nonsense://x", "nonsense:// cannot be used"),
        ("https://host/x", "can only be read"),
        ("x" * 300, "the name is too long"),
        ("/" + "a/" * 2040, "the name is too long"),
        ("README.md", "README.md' is a file"),
        ("README.md/below", "README.md' is a file"),
        ("/proc/none", "cannot be written to"),
    ],
)
def test_what_can_be_no_data_folder_is_refused_in_a_sentence_before_any_node(
    value: str, words: str, kedro_run: Callable[..., Result]
) -> None:
    result = kedro_run(f"data_dir={value}")
    assert result.exit_code == 1, result.output
    sentence = result.output[result.output.index("Error: ") :]
    assert words in sentence
    assert "Traceback" not in result.output
    assert len(sentence.splitlines()) == 2, "the sentence, and how to see more"


@pytest.mark.parametrize("below", ["", "/x/y"])
def test_a_link_that_leads_nowhere_is_no_place(below: str, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    with pytest.raises(ValueError, match="a link that leads nowhere"):
        check_writable("data_dir", f"{tmp_path}/link{below}", [])
    with pytest.raises(ValueError, match=r"raw_dir: .*no such file"):
        check_readable("raw_dir", f"{tmp_path}/link{below}")


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC, errno.EDQUOT])
def test_a_folder_that_nobody_may_write_to_is_refused(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    with pytest.raises(
        ValueError, match=rf"data_dir: '{tmp_path}' cannot be written to \({os.strerror(number).lower()}"
    ):
        check_writable("data_dir", str(tmp_path), [])


def test_a_file_in_the_place_of_a_dataset_is_noticed_before_anything_is_computed(
    kedro_run: Callable[..., Result], tmp_path: Path
) -> None:
    (tmp_path / "data" / "primary").mkdir(parents=True)
    (tmp_path / "data" / "primary" / "samples.parquet").write_text("of an older program")
    result = kedro_run(f"data_dir={tmp_path}/data")
    assert result.exit_code == 1
    assert "samples.parquet' is a file" in result.output
    assert not (tmp_path / "data" / "intermediate").exists()


def test_a_configuration_that_kedro_cannot_find_is_named(project_root: Path, tmp_path: Path) -> None:
    conf = shutil.copytree(project_root / "conf", tmp_path / "project[1]" / "conf")
    bootstrap_project(project_root)
    with pytest.raises(ValueError, match=r"project\[1\]/conf' holds no parameters .* must lie elsewhere"):
        KedroSession.create(project_root, conf_source=str(conf)).load_context()


@pytest.mark.parametrize("name", [".work", "primary"])
def test_a_file_where_folders_shall_be_is_in_the_way(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("a file")
    with pytest.raises(ValueError, match=f"{name}' is a file"):
        check_writable("data_dir", str(tmp_path), [f"{tmp_path}/primary/items.parquet"])


def test_a_check_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    check_writable("data_dir", f"{tmp_path}/data", [f"{tmp_path}/data/primary/items.parquet", "/elsewhere"])
    assert not list((tmp_path / "data").iterdir())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("data", "/project/data"),
        ("a:b/c", "/project/a:b/c"),
        ("/x/./y", "/x/y"),
        ("./~", "/project/~"),
        ("file:///x/y", "/x/y"),
        ("memory://x", "memory://x"),
    ],
)
def test_a_place_is_absolute_or_an_address(value: str, expected: str) -> None:
    assert settled("data_dir", value, PROJECT) == expected


def test_addresses_of_raw_data_stay_as_they_are() -> None:
    for address in ("https://host/a?b#c", "sqlite:///shop.db", "file:///a%20b"):
        assert settled("raw_dir", address, PROJECT) == address
