"""The words around the data: Jinja2 templates, compiled once, that fail by name when a variable is missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from jinja2 import TemplateError, TemplateSyntaxError, meta

from coresift.prompting.options import ClickQuestion, PromptTemplates
from coresift.prompting.template_sandbox import BoundedEnvironment

FIELDS = {"item": "title, categories, text, rating", "target": "title, categories, text"}
"""Fields of the variables that are items."""

_FAILURES = (
    *(TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError),
    *(RecursionError, MemoryError),
)
"""What expressions of a template raise."""


class CompiledTemplates:
    """The templates as functions, in a sandbox: a template reads its variables, changes nothing, and ends soon.

    Args:
        templates: Their source.

    Raises:
        ValueError: If a template is no valid Jinja2, or reads a variable that it does not have.
    """

    def __init__(self, templates: PromptTemplates | ClickQuestion) -> None:
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
