"""The words around the data: Jinja2 templates, compiled once, that fail by name when a variable is missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from jinja2 import TemplateError, TemplateSyntaxError, meta

from coresift.prompting.template_sandbox import BoundedEnvironment

FIELDS = {"item": "title, categories, text, rating", "target": "title, categories, text"}
"""Fields of the variables that are items."""

_FAILURES = (
    *(TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError),
    *(RecursionError, MemoryError),
)
"""What expressions of a template raise."""


@dataclass(frozen=True)
class PromptTemplates:
    """Jinja2 source of the three parts of a sample's text.

    Attributes:
        history_item: One item of the history; ``item`` has title, categories, text and rating (None if unknown).
        prompt: What the model is asked; ``history`` is the list of rendered items, ``user`` the profile's columns.
        response: What it shall answer; ``target`` has title, categories and text.
    """

    history_item: str = "{{ item.title }}"
    prompt: str = "{{ history | join('; ') }}\nNext:\n"
    response: str = "{{ target.title }}"

    section: ClassVar[str] = "templates"
    variables: ClassVar[dict[str, tuple[str, ...]]] = {
        "history_item": ("item",),
        "prompt": ("history", "user"),
        "response": ("target",),
    }
    """Variables of each template. The prompt knows nothing of the target, so that it cannot give it away."""


@dataclass(frozen=True)
class ClickTemplates:
    """What surrounds the data of a sample that asks whether one item will be liked (TALLRec, arXiv 2305.00447).

    Attributes:
        history_item: One item of the history; ``item`` has title, categories, text and rating (None if unknown).
        prompt: What the model is asked; ``liked`` and ``disliked`` are lists of rendered items, ``candidate`` is the
            item in question with title, categories and text, ``user`` the profile's columns.
        like_rating: Lowest rating of an item that goes to ``liked``.
        answers: The positive and the negative answer, verbatim.
    """

    history_item: str = "{{ item.title }}"
    prompt: str = (
        "Liked: {{ liked | join('; ') }}\nDisliked: {{ disliked | join('; ') }}\nLikes {{ candidate.title }}?\n"
    )
    like_rating: float = 4.0
    answers: tuple[str, str] = ("Yes", "No")

    section: ClassVar[str] = "click_templates"
    variables: ClassVar[dict[str, tuple[str, ...]]] = {
        "history_item": ("item",),
        "prompt": ("liked", "disliked", "candidate", "user"),
    }


class CompiledTemplates:
    """The templates as functions, in a sandbox: a template reads its variables, changes nothing, and ends soon.

    Args:
        templates: Their source.

    Raises:
        ValueError: If a template is no valid Jinja2, or reads a variable that it does not have.
    """

    def __init__(self, templates: PromptTemplates | ClickTemplates) -> None:
        environment = BoundedEnvironment()
        self._section, self._variables = templates.section, templates.variables
        self._render = {name: self._compiled(environment, name, getattr(templates, name)) for name in self._variables}

    def history_item(self, item: Mapping[str, object]) -> str:
        """Render one item of a history."""
        return self._rendered("history_item", item=item)

    def prompt(self, **variables: object) -> str:
        """Render a prompt from the variables that its template has."""
        return self._rendered("prompt", **variables)

    def response(self, target: Mapping[str, object]) -> str:
        """Render a response."""
        return self._rendered("response", target=target)

    def _rendered(self, name: str, **variables: object) -> str:
        try:
            return self._render[name](variables)
        except _FAILURES as error:
            problem = str(error) or type(error).__name__
            raise ValueError(f"{self._label(name)} cannot be rendered: {problem}; {self._available(name)}") from error

    def _compiled(self, environment: BoundedEnvironment, name: str, source: str) -> Callable[..., str]:
        try:
            unknown = meta.find_undeclared_variables(environment.parse(source)) - set(self._variables[name])
            render = environment.compiled(source)
        except TemplateSyntaxError as error:
            raise ValueError(
                f"{self._label(name)} is not valid Jinja2 in line {error.lineno}: {error.message}"
            ) from error
        except (RecursionError, MemoryError, SyntaxError) as error:
            raise ValueError(f"{self._label(name)} is nested too deeply: write it without so many brackets") from error
        if unknown:
            raise ValueError(
                f"{self._label(name)} reads '{min(unknown)}', which it does not have; {self._available(name)}"
            )
        return render

    def _label(self, name: str) -> str:
        return f"template prompting.{self._section}.{name}"

    def _available(self, name: str) -> str:
        variables = self._variables[name]
        fields = FIELDS.get(variables[0], "")
        return f"available: {', '.join(variables)}" + (f" with the fields {fields}" if fields else "")
