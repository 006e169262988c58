"""Options are declared once: in the constructor or the dataclass that uses them, with bounds and meaning.

A declaration annotates each option with its type, with bounds of annotated-types and with its meaning::

    budget: Annotated[int, Ge(1), Doc("Samples to select.")] = 256

The library checks values against it by :func:`check_options`; Kedro's parameter models are derived from it by
:func:`coresift.parameters.parameters_of`.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from numbers import Integral
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, Lt, MultipleOf
from typing_extensions import Doc

_BOUNDS: Mapping[type, tuple[str, Callable[[Any, Any], bool], str]] = {
    Ge: ("ge", lambda value, bound: value >= bound, "at least"),
    Gt: ("gt", lambda value, bound: value > bound, "above"),
    Le: ("le", lambda value, bound: value <= bound, "at most"),
    Lt: ("lt", lambda value, bound: value < bound, "below"),
    MultipleOf: ("multiple_of", lambda value, bound: value % bound == 0, "a multiple of"),
}


@dataclass(frozen=True)
class Option:
    """One declared option.

    Attributes:
        name: Its name.
        annotation: Its type with bounds and meaning, as declared.
        default: Its default; ``inspect.Parameter.empty`` where a value must be given.
    """

    name: str
    annotation: Any
    default: Any

    @property
    def meaning(self) -> str:
        """What the option does; empty where the declaration does not say."""
        return next((part.documentation for part in self._metadata if isinstance(part, Doc)), "")

    @property
    def _metadata(self) -> tuple[Any, ...]:
        return get_args(self.annotation)[1:] if get_origin(self.annotation) is Annotated else ()

    def problem(self, value: object) -> str | None:
        """Return what is wrong with a value, as the end of a sentence; None if it may be used."""
        kind = get_args(self.annotation)[0] if self._metadata else self.annotation
        alternatives = get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)
        if value is None and type(None) in alternatives:
            return None
        choices = [choice for one in alternatives if get_origin(one) is Literal for choice in get_args(one)]
        if choices and value not in choices:
            return f"use one of {', '.join(map(str, choices))}"
        if int in alternatives and float not in alternatives and str not in alternatives and not _is_whole(value):
            return "it must be a whole number"
        try:
            broken = [words for words, holds in self._bounds(value) if not holds]
        except TypeError:
            return "it must be a number"
        return f"it must be {' and '.join(words for words, _ in self._bounds(value))}" if broken else None

    def _bounds(self, value: Any) -> Iterator[tuple[str, bool]]:  # noqa: ANN401 - any ordered value
        for part in self._metadata:
            if type(part) in _BOUNDS:
                attribute, holds, words = _BOUNDS[type(part)]
                bound = getattr(part, attribute)
                yield f"{words} {bound}", holds(value, bound)


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral)


def declared_options(declaration: type, *, leave_out: Collection[str] = ()) -> dict[str, Option]:
    """Return the options that a constructor or a dataclass declares, by name and in their order.

    Args:
        declaration: A class whose constructor declares them, or a dataclass whose fields do.
        leave_out: Names that are no options to be set from outside.
    """
    hints = get_type_hints(declaration if is_dataclass(declaration) else declaration.__init__, include_extras=True)  # type: ignore[misc] # of the class itself
    made = _factories(declaration)
    return {
        name: Option(name, hints.get(name, Any), made[name]() if name in made else parameter.default)
        for name, parameter in inspect.signature(declaration).parameters.items()
        if name not in leave_out
    }


def _factories(declaration: type) -> dict[str, Callable[[], Any]]:
    """Return what makes the defaults of a dataclass that are made anew each time."""
    if not is_dataclass(declaration):
        return {}
    return {field.name: field.default_factory for field in fields(declaration) if field.default_factory is not MISSING}


def check_options(declaration: type, values: Mapping[str, object], *, prefix: str = "") -> None:
    """Check values against the declaration.

    Args:
        declaration: The class that declares them.
        values: Values by name; names that are not declared are ignored.
        prefix: What messages put in front of a name, such as ``recommender.dense.``.

    Raises:
        ValueError: If a value is none of the choices or out of bounds; the sentence says what is possible.
    """
    for name, option in declared_options(declaration).items():
        if name in values and (problem := option.problem(values[name])):
            raise ValueError(f"{prefix}{name} is {values[name]!r}: {problem}.")
