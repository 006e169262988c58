"""A room's door offers what it says, declarations stand beside what reads them, and one registry knows them all."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import coresift
from coresift.options import declared_options
from coresift.parameters import AdapterParameters, PersonalizationParameters, RecommenderParameters
from coresift.personalization import RecLoraConfig
from coresift.recommenders import RECOMMENDER_OPTIONS, RECOMMENDERS, AdapterOptions

DOORS = sorted(Path(coresift.__file__).parent.glob("*/__init__.py"))
OPENED_WHEN_USED = [door.parent.name for door in DOORS if "opened_when_used" in door.read_text(encoding="utf-8")]
HEAVY = ["torch", "transformers", "peft", "sklearn", "pyarrow"]


@pytest.mark.parametrize("room", OPENED_WHEN_USED)
def test_no_module_hides_what_its_room_offers_by_bearing_its_name(room: str) -> None:
    door = import_module(f"coresift.{room}")
    offered = set(door.__all__)
    modules = {file.stem for file in Path(str(door.__file__)).parent.glob("*.py")}
    assert all(hasattr(door, name) for name in offered)
    assert not offered & modules


def test_the_registries_of_options_and_of_recommenders_agree() -> None:
    assert {name: kind.declared for name, kind in RECOMMENDERS.items()} == RECOMMENDER_OPTIONS
    for name, kind in RECOMMENDERS.items():
        assert set(kind.bound_options) <= set(declared_options(kind.declared)), name


def test_nobody_asks_for_a_recommender_by_its_name() -> None:
    asked = re.compile(rf"[!=]= [\"']({'|'.join(RECOMMENDER_OPTIONS)})[\"']")
    sources = Path(coresift.__file__).parent.rglob("*.py")
    assert not [str(file) for file in sources if asked.search(file.read_text(encoding="utf-8"))]


def test_parameters_of_recommenders_and_adapters_are_the_declared_options() -> None:
    assert set(RecommenderParameters.model_fields) == {"name", *RECOMMENDER_OPTIONS}
    for name, declaration in RECOMMENDER_OPTIONS.items():
        assert RecommenderParameters(name=name).options == declaration()
    assert AdapterParameters().options() == AdapterOptions()
    assert PersonalizationParameters(enabled=True).mixture(None) is None
    mixed = RecLoraConfig(**PersonalizationParameters().model_dump(exclude={"enabled"}))
    assert mixed == RecLoraConfig()


@pytest.mark.parametrize("module", ["coresift.parameters", "coresift.recommenders.registry"])
def test_options_are_read_without_anything_heavy(module: str) -> None:
    command = f"import sys, {module}; print([name for name in {HEAVY} if name in sys.modules])"
    finished = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == "[]"
