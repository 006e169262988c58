"""Errors for the user become a sentence; defects keep their traceback."""

import json

import click
import numpy as np
import pytest
from click.testing import CliRunner
from kedro.io import DatasetError

from coresift.cli import cli, is_for_the_user, run, split_parameters
from coresift.hooks import check_parameters


def caught(function, *arguments):
    with pytest.raises(Exception) as info:
        function(*arguments)
    return info.value


def fail_to_save():
    raise DatasetError("no such folder")


def test_the_project_s_own_sentences_are_for_the_user():
    assert is_for_the_user(caught(check_parameters, {"devise": "cpu"}))
    assert is_for_the_user(caught(fail_to_save))


def test_errors_from_libraries_are_defects():
    assert not is_for_the_user(caught(np.zeros(3).reshape, 2))
    assert not is_for_the_user(caught(json.loads, "{"))
    assert not is_for_the_user(caught({}.__getitem__, "a"))


def test_a_full_disk_is_for_the_user_whoever_met_it():
    full = RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed")

    def fail():
        raise full

    assert is_for_the_user(caught(fail))
    command = type(run)(name="full", callback=fail)
    result = CliRunner().invoke(command)
    assert result.exit_code == 1
    assert "no space left on device" in result.output
    assert "Pytorch" not in result.output


def split(text):
    option = next(option for option in run.params if option.name == "params")
    return split_parameters(click.Context(run), option, text)


NAMES = """2018|007|1e3|0x10|1_000|12:30|true|no|null|~|~/x|a #1|a: b|[x]|{x}|@x|*x|&x|!x|%x|`x`|x\\|it's|a=b|x:|- x
'a'b|2024-01-01|ü 😀""".replace("\n", "|").split("|")


@pytest.mark.parametrize("name", NAMES)
def test_a_place_keeps_its_text_whatever_it_looks_like(name):
    assert split(f"seed=3,data_dir={name},raw_dir={name}") == {"seed": 3, "data_dir": name, "raw_dir": name}


@pytest.mark.parametrize("name", ["foundation.revision", "foundation.model", "evaluation.compare_with"])
def test_text_that_may_be_left_out_is_text_or_nothing(name):
    section, _, field = name.partition(".")
    assert split(f"{name}=1234567") == {section: {field: "1234567"}}
    assert split(f"{name}=0012e4") == {section: {field: "0012e4"}}
    assert split(f"{name}=null") == {section: {field: None}}


@pytest.mark.parametrize(
    ("text", "name"), [("'a, b'", "a, b"), ('"a\\"b,c"', 'a"b,c'), ("'it''s'", "it's"), ("' a '", " a ")]
)
def test_a_name_in_quotes_may_hold_commas_and_blanks_at_its_ends(text, name):
    assert split(f"data_dir={text}, device=cpu") == {"data_dir": name, "device": "cpu"}


def test_other_parameters_are_read_as_kedro_reads_them():
    given = "selection.budget=4, adapter={r: 3}, tuning_share=1e-1, personalization.enabled=true,ingestion.k_core=5"
    assert split(given) == {
        "selection": {"budget": 4},
        "adapter": {"r": 3},
        "tuning_share": 0.1,
        "personalization": {"enabled": True},
        "ingestion": {"k_core": 5},
    }
    assert split("") == {}
    assert split({"seed": 1}) == {"seed": 1}


@pytest.mark.parametrize("text", ["data_dir", "data_dir=a,b", "seed=@", "data_dir=${x", "=3"])
def test_what_cannot_be_read_is_refused_in_a_sentence(text):
    result = CliRunner().invoke(run, ["--params", text])
    assert result.exit_code == 2
    assert "Error: " in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("command", ["forget", "export-adapters"])
def test_commands_find_the_data_folder_where_runs_do(command, project_root, tmp_path, monkeypatch):
    (tmp_path / "project" / "conf").mkdir(parents=True)
    (tmp_path / "project" / "inner").mkdir()
    (tmp_path / "project" / "pyproject.toml").write_text((project_root / "pyproject.toml").read_text())
    for name in ("base", "local"):
        (tmp_path / "project" / "conf" / name).mkdir()
    (tmp_path / "project" / "conf" / "base" / "parameters.yml").write_text("data_dir: data\n")
    (tmp_path / "project" / "conf" / "local" / "parameters.yml").write_text("data_dir: 'disk[2]/2024'\n")
    (tmp_path / "project" / "disk[2]" / "2024").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "project" / "inner")
    result = CliRunner().invoke(cli, [command, "--user", "nobody"])
    assert result.exit_code == 1
    assert f"{tmp_path}/project/disk[2]/2024" in result.output
