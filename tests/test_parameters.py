"""Files and declarations agree, and wrong parameters are refused before any node, with the nearest valid name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
import yaml
from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, RootModel, ValidationError
from pydantic.fields import FieldInfo

from coresift.hooks import check_parameters, parameter_models

CONF = Path(__file__).parents[1] / "conf"
OUTSIDE = {Ge: ("ge", -1), Gt: ("gt", 0), Le: ("le", 1), Lt: ("lt", 0)}
"""How far from a bound the nearest whole number lies that breaks it."""


def written(environment: str) -> dict[str, Any]:
    files = (CONF / environment / "parameters").glob("*.yml")
    return {name: value for file in files for name, value in yaml.safe_load(file.read_text("utf-8")).items()}


def options(model: type[BaseModel], path: str) -> Iterator[tuple[str, type[BaseModel], str, FieldInfo]]:
    """Yield every option of a section and of its own sections: its dotted name, model, name and declaration."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from options(field.annotation, f"{path}.{name}")
        else:
            yield f"{path}.{name}", model, name, field


SECTIONS = {name: model for name, model in parameter_models().items() if not issubclass(model, RootModel)}
OPTIONS = [one for name, model in SECTIONS.items() for one in options(model, name)]


def test_the_files_hold_every_option_with_its_default_and_nothing_else() -> None:
    values = written("base")
    assert set(values) == set(parameter_models())
    for name, model in parameter_models().items():
        wanted = model() if name in SECTIONS else model.model_validate(values[name])
        assert values[name] == wanted.model_dump(mode="json"), name


@pytest.mark.parametrize("environment", sorted(folder.parent.name for folder in CONF.glob("*/parameters")))
def test_every_environment_sets_known_parameters_to_valid_values(environment: str) -> None:
    check_parameters(written(environment))


@pytest.mark.parametrize(("path", "model", "name", "field"), OPTIONS, ids=[path for path, *_ in OPTIONS])
def test_every_option_says_what_it_means_and_refuses_what_is_out_of_bounds(
    path: str, model: type[BaseModel], name: str, field: FieldInfo
) -> None:
    assert field.description, f"{path} is declared without a meaning"
    wrong = [
        getattr(one, OUTSIDE[type(one)][0]) + OUTSIDE[type(one)][1] for one in field.metadata if type(one) in OUTSIDE
    ]
    for one in get_args(field.annotation) or [field.annotation]:
        wrong += ["no such choice"] if get_origin(field.annotation) is Literal or get_origin(one) is Literal else []
    for value in wrong:
        with pytest.raises(ValidationError, match=name):
            model.model_validate({name: value})


def test_the_shared_defaults_pass() -> None:
    check_parameters({"data_dir": "data", "raw_dir": "x", "device": "cpu", "seed": 3, "adapter": {"r": 4}})


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"devise": "cpu"}, "unknown parameter 'devise': did you mean 'device'?"),
        ({"selection": {"budgett": 3}}, "unknown parameter 'selection.budgett': did you mean 'selection.budget'?"),
        ({"adapter": {"rank": 3, "r": 2}}, "unknown parameter 'adapter.rank': "),
        ({"device": "gpu"}, "parameter 'device': .* got 'gpu'"),
        ({"adapter": {"r": 0}}, r"parameter 'adapter\.r': .*greater than or equal to 1, got 0"),
        ({"selection": {"budget": "many"}}, r"parameter 'selection\.budget': .*integer.*'many'"),
    ],
)
def test_wrong_parameters_are_named(raw: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("?", r"\?") if "?" in message else message):
        check_parameters(raw)
