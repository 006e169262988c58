"""What is declared once is checked by the library and becomes a strict model of parameters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

import pytest
from annotated_types import Ge, Gt, Lt
from pydantic import ValidationError
from typing_extensions import Doc

from coresift.options import check_options, declared_options
from coresift.parameters import parameters_of


@dataclass(frozen=True)
class Training:
    """How something is trained."""

    rate: Annotated[float, Gt(0), Doc("Step size.")] = 0.1
    share: Annotated[float, Ge(0), Lt(1), Doc("Share held out.")] = 0.0
    limit: Annotated[float | None, Gt(0), Doc("Seconds at most.")] = None
    layers: Annotated[list[str], Doc("Names.")] = field(default_factory=list)


class Chooser:
    """Chooses."""

    def __init__(
        self,
        budget: Annotated[int, Ge(1), Doc("How many.")] = 8,
        *,
        where: Annotated[Literal["text", "state"], Doc("Where distances are measured.")] = "text",
        random_state: int = 0,
    ) -> None:
        self.budget, self.where, self.random_state = budget, where, random_state


def test_a_declaration_tells_names_defaults_and_meanings() -> None:
    options = declared_options(Training)
    assert {name: option.default for name, option in options.items()} == {
        "rate": 0.1, "share": 0.0, "limit": None, "layers": []
    }  # fmt: skip
    assert options["share"].meaning == "Share held out."
    assert list(declared_options(Chooser, leave_out={"random_state"})) == ["budget", "where"]


@pytest.mark.parametrize(
    ("declaration", "values", "message"),
    [
        (Training, {"rate": 0.0}, r"^training\.rate is 0\.0: it must be above 0\.$"),
        (Training, {"share": 1.0}, r"share is 1\.0: it must be at least 0 and below 1\."),
        (Training, {"limit": -1.0}, r"limit is -1\.0: it must be above 0\."),
        (Chooser, {"where": "here"}, r"where is 'here': use one of text, state\."),
    ],
)
def test_a_value_out_of_bounds_is_one_sentence(declaration: type, values: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_options(declaration, values, prefix="training.")


def test_values_within_bounds_and_names_that_are_not_declared_pass() -> None:
    check_options(Training, {"rate": 1, "share": 0.5, "limit": None, "unknown": -1})
    check_options(Chooser, {"budget": 1, "where": "state"})


def test_the_model_of_parameters_is_strict_and_has_the_declared_defaults_and_meanings() -> None:
    model = parameters_of(Chooser, name="ChooserParameters", leave_out={"random_state"})
    assert model().model_dump() == {"budget": 8, "where": "text"}
    assert model.model_fields["budget"].description == "How many."
    for wrong in ({"budget": 0}, {"where": "here"}, {"random_state": 1}, {"budgett": 1}):
        with pytest.raises(ValidationError):
            model.model_validate(wrong)


@pytest.mark.parametrize(
    ("declaration", "values", "message"),
    [
        (Training, {"rate": "fast"}, r"rate is 'fast': it must be a number"),
        (Training, {"share": None}, r"share is None: it must be a number"),
        (Chooser, {"budget": "x"}, r"budget is 'x': it must be a whole number"),
        (Chooser, {"budget": float("inf")}, r"budget is inf: it must be a whole number"),
    ],
)
def test_a_value_of_another_kind_is_one_sentence(declaration: type, values: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_options(declaration, values)
