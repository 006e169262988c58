"""Rooms keep their doors, start-up stays light, and typed parameters stay switched on."""

from __future__ import annotations

import subprocess
import sys
import typing
from importlib import import_module
from pathlib import Path

import pytest
import yaml
from kedro.framework.project import configure_project, pipelines
from pydantic import BaseModel

import coresift
from coresift.hooks import parameter_models

HEAVY = ["torch", "transformers", "peft", "ot", "ibis", "sklearn", "matplotlib"]
LIST_PIPELINES = """
import sys
from kedro.framework.project import configure_project, pipelines
configure_project("coresift")
assert len(pipelines) > 8, list(pipelines)
print([name for name in sys.argv[1:] if name in sys.modules])
"""


def all_nodes() -> list:
    configure_project("coresift")
    return pipelines["__default__"].nodes


def test_imports_keep_the_doors(project_root: Path) -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    finished = subprocess.run(command, cwd=project_root, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout


def test_listing_pipelines_imports_nothing_heavy(project_root: Path) -> None:
    command = [sys.executable, "-c", LIST_PIPELINES, *HEAVY]
    finished = subprocess.run(command, cwd=project_root, capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == "[]"


def test_types_of_every_node_resolve_and_parameters_are_models() -> None:
    for node in all_nodes():
        hints = typing.get_type_hints(node.func)
        names = list(node.func.__code__.co_varnames[: node.func.__code__.co_argcount])
        inputs = node._inputs if isinstance(node._inputs, list) else [node._inputs]
        named = node._inputs.items() if isinstance(node._inputs, dict) else zip(names, inputs, strict=True)
        for name, dataset in named:
            if str(dataset).startswith("params:"):
                assert issubclass(hints[name], BaseModel), f"{node.name}: {name} is not a parameter model"


def test_every_node_is_a_verb_phrase_with_one_sentence() -> None:
    for node in all_nodes():
        first = (node.func.__doc__ or "").strip().splitlines()[0]
        assert first.endswith("."), f"{node.name}: the first docstring line is no sentence"
        assert node.namespace, f"{node.name} has no namespace"


@pytest.mark.parametrize("name", [name for name in parameter_models() if name not in {"data_dir"}])
def test_yaml_holds_every_default_of_the_model(project_root: Path, name: str) -> None:
    folder = project_root / "conf" / "base" / "parameters"
    file = folder / f"{name}.yml"
    values = yaml.safe_load((file if file.exists() else folder / "shared.yml").read_text())[name]
    model = parameter_models()[name]
    if isinstance(values, dict):
        assert model.model_validate(values) == model()
        assert set(values) == set(model.model_fields), "the file shows every parameter"
    else:
        assert model.model_validate(values).model_dump() == values


def test_no_module_bears_the_name_of_what_a_room_offers() -> None:
    package = Path(coresift.__file__).parent
    for door in sorted(package.glob("*/__init__.py")):
        room = import_module(f"coresift.{door.parent.name}")
        modules = {path.stem for path in door.parent.rglob("*.py")}
        assert modules.isdisjoint(getattr(room, "__all__", [])), f"{room.__name__}: a name leads to two things"
