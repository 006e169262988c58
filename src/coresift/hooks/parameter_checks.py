"""Which parameters there are, whether values fit them, and which of them are text that no one may read as a number."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from importlib import import_module
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, RootModel, ValidationError

from coresift import parameters as shared

PIPELINES = (
    "ingestion",
    "foundation",
    "prompting",
    "surrogate",
    "attribution",
    "selection",
    "finetuning",
    "evaluation",
)
SHARED_MODELS: dict[str, type[BaseModel]] = {
    "data_dir": shared.DataDirectory,
    "device": shared.Device,
    "dtype": shared.Dtype,
    "threads": shared.Threads,
    "seed": shared.Seed,
    "tuning_share": shared.TuningShare,
    "recommender": shared.RecommenderParameters,
    "adapter": shared.AdapterParameters,
    "personalization": shared.PersonalizationParameters,
}

WITHOUT_DEFAULT: dict[str, type[BaseModel]] = {"raw_dir": shared.RawDirectory}
"""Parameters that no file has to hold and no node takes: only the catalog reads them."""


@cache
def parameter_models() -> dict[str, type[BaseModel]]:
    """Return the model of every top-level parameter, by name."""
    sections = {
        name: getattr(import_module(f"coresift.pipelines.{name}.params"), f"{name.capitalize()}Parameters")
        for name in PIPELINES
    }
    return {**SHARED_MODELS, **sections}


def check_parameters(raw: dict[str, Any]) -> None:
    """Validate every section, whichever pipelines run.

    Raises:
        ValueError: If a name is unknown (with the nearest valid one) or a value does not fit.
    """
    models = {**parameter_models(), **WITHOUT_DEFAULT}
    for name, value in raw.items():
        if name not in models:
            raise ValueError(_unknown(name, list(models)))
        _check_section(name, value, models[name])


def is_text(name: str) -> tuple[bool, bool]:
    """Tell whether a parameter, by its dotted name, takes nothing but text, and whether it may be left empty (null)."""
    first, *inner = name.split(".")
    kind: Any = {**parameter_models(), **WITHOUT_DEFAULT}.get(first)
    for part in inner:
        if not _is_section(kind) or part not in kind.model_fields:
            return False, False
        kind = kind.model_fields[part].annotation
    if isinstance(kind, type) and issubclass(kind, RootModel):
        kind = kind.model_fields["root"].annotation
    members = _members(kind)
    return bool(members - {type(None)}) and members <= {str, type(None)}, type(None) in members


def _members(kind: Any) -> set[Any]:  # noqa: ANN401 - whatever stands behind a colon
    """Return the types that a union allows; the values of a `Literal` count by their types."""
    if get_origin(kind) is Annotated:
        return _members(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        return set().union(*(_members(member) for member in get_args(kind)))
    if get_origin(kind) is Literal:
        return {type(value) for value in get_args(kind)}
    return {kind}


def _is_section(kind: Any) -> bool:  # noqa: ANN401
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _check_section(name: str, value: object, model: type[BaseModel]) -> None:
    try:
        model.model_validate(value)
    except ValidationError as error:
        problem = error.errors()[0]
        path = [name, *(str(part) for part in problem["loc"])]
        if problem["type"] == "extra_forbidden":
            raise ValueError(_unknown(".".join(path), _siblings(model, path[1:-1], name))) from None
        hint = ""
        if problem["type"] == "string_type" and isinstance(problem["input"], int | float):
            hint = ": what looks like a number or a yes or no is text in quotes only"
        raise ValueError(f"parameter '{'.'.join(path)}': {problem['msg']}, got {problem['input']!r}{hint}") from None


def _siblings(model: type[BaseModel], inner: list[str], prefix: str) -> list[str]:
    """Return the dotted names that are valid where an unknown one was found."""
    for part in inner:
        prefix += f".{part}"
        annotation = model.model_fields[part].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return [f"{prefix}.{field}" for field in model.model_fields]


def _unknown(name: str, known: list[str]) -> str:
    nearest = get_close_matches(name, known, n=1)
    hint = f": did you mean '{nearest[0]}'?" if nearest else f": known are {', '.join(sorted(known))}"
    return f"unknown parameter '{name}'{hint}"
