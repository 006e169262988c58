"""The words around the data: Jinja2 templates, compiled once, that fail by name when a variable is missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

VARIABLES = {"history_item": ("item",), "prompt": ("history", "user"), "response": ("target",)}
"""Variables of each template. The prompt knows nothing of the target, so that it cannot give it away."""
FIELDS = "title, categories, text, rating"
"""Fields of ``item`` and ``target``; the target has no rating."""


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


class CompiledTemplates:
    """The templates as functions, in a sandbox: a template reads its variables and changes nothing.

    Args:
        templates: Their source.

    Raises:
        ValueError: If a template is no valid Jinja2, or reads a variable that it does not have.
    """

    def __init__(self, templates: PromptTemplates) -> None:
        environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)
        sources = asdict(templates)
        self._render = {name: _compiled(environment, name, sources[name]) for name in VARIABLES}

    def history_item(self, item: Mapping[str, object]) -> str:
        """Render one item of a history."""
        return self._rendered("history_item", item=item)

    def prompt(self, history: list[str], user: Mapping[str, object]) -> str:
        """Render a prompt around the rendered items of a history."""
        return self._rendered("prompt", history=history, user=user)

    def response(self, target: Mapping[str, object]) -> str:
        """Render a response."""
        return self._rendered("response", target=target)

    def _rendered(self, name: str, **variables: object) -> str:
        try:
            return self._render[name](variables)
        except (TemplateError, TypeError) as error:
            raise ValueError(f"{_label(name)} cannot be rendered: {error}; {_available(name)}") from error


def _compiled(environment: ImmutableSandboxedEnvironment, name: str, source: str) -> Callable[..., str]:
    try:
        unknown = meta.find_undeclared_variables(environment.parse(source)) - set(VARIABLES[name])
        template = environment.from_string(source)
    except TemplateSyntaxError as error:
        raise ValueError(f"{_label(name)} is not valid Jinja2 in line {error.lineno}: {error.message}") from error
    if unknown:
        raise ValueError(f"{_label(name)} reads '{min(unknown)}', which it does not have; {_available(name)}")
    return template.render


def _label(name: str) -> str:
    return f"template prompting.templates.{name}"


def _available(name: str) -> str:
    fields = "" if name == "prompt" else f" with the fields {FIELDS}" if name == "history_item" else f" with {FIELDS}"
    return f"available: {', '.join(VARIABLES[name])}{fields}"
