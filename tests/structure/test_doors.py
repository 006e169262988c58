"""Rooms keep their doors, start-up stays light, and typed parameters stay switched on."""

from __future__ import annotations

import subprocess
import sys
import typing
from importlib import import_module
from pathlib import Path

import pytest
from kedro.framework.project import configure_project, pipelines
from pydantic import BaseModel

import coresift

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


def test_a_door_opens_for_every_name_it_offers_and_for_no_other() -> None:
    for door in sorted(Path(coresift.__file__).parent.glob("*/__init__.py")):
        room = import_module(f"coresift.{door.parent.name}")
        assert all(hasattr(room, name) for name in getattr(room, "__all__", []))
        with pytest.raises(AttributeError, match="no attribute 'no_such_name'"):
            _ = room.no_such_name


def test_options_cost_no_import_of_what_they_are_for() -> None:
    script = "import sys, coresift.finetuning as room; room.FineTuningOptions(); print('torch' in sys.modules)"
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == "False"


def test_selection_is_a_library_without_pydantic() -> None:
    script = (
        "import sys; sys.modules['pydantic'] = None; from coresift.selection import SELECTORS; print(len(SELECTORS))"
    )
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert int(finished.stdout or 0) > 10, finished.stderr


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


def test_no_module_bears_the_name_of_what_a_room_offers() -> None:
    package = Path(coresift.__file__).parent
    for door in sorted(package.glob("*/__init__.py")):
        room = import_module(f"coresift.{door.parent.name}")
        modules = {path.stem for path in door.parent.rglob("*.py")}
        assert modules.isdisjoint(getattr(room, "__all__", [])), f"{room.__name__}: a name leads to two things"
