"""Jinja2 in a sandbox whose work is counted: whatever a template holds, it ends soon and within little memory."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import wraps
from typing import Any

from jinja2 import StrictUndefined, TemplateError, nodes
from jinja2.runtime import BlockReference, Context, LoopContext, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

STEPS, STEPS_PER_CHARACTER = 200_000, 20
"""Steps of one rendering, and more of them for every character of the data that it reads."""

_SIZED = (str, bytes, list, tuple, dict, set, frozenset, range)
_MULTIPLIES = {"replace", "join", "format", "format_map", "translate"}
"""What puts one text into another again and again."""
_FILLS = {"center", "ljust", "rjust", "zfill", "expandtabs", "indent", "batch", "slice", "round", "tojson", "to_bytes"}
"""What fills up to a number, as does a number of four digits or more in a format."""
_WIDTH = re.compile(r"\d{4,18}")


class TooMuchWorkError(TemplateError):
    """A template takes more steps than a prompt is worth."""


class BoundedEnvironment(ImmutableSandboxedEnvironment):
    """A sandbox in which loops, calls, filters, operators and output take steps by the size of what they handle."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined, keep_trailing_newline=True, finalize=self.sized)
        self.steps_left = STEPS
        self.static_size = 0
        del self.globals["lipsum"]
        self.filters = {name: self._counted(name, function) for name, function in self.filters.items()}
        self.filters |= {"_looped": self._looped, "_sized": self.sized}

    def compiled(self, source: str) -> Callable[[Mapping[str, Any]], str]:
        """Return a template as a function of its variables, which raises where it would take too many steps."""
        self.steps_left = STEPS
        self.static_size = len(source)
        template = self.from_string(source)

        def render(variables: Mapping[str, Any]) -> str:
            self.steps_left = STEPS + STEPS_PER_CHARACTER * _characters(variables)
            self.static_size = len(source)
            return template.render(variables)

        return render

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:  # noqa: ANN401 - as Jinja2
        """Apply an operator unless its result would be too large."""
        self._take(_size_of_result(operator, left, right, self.steps_left))
        return super().call_binop(context, operator, left, right)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as Jinja2
        """Call a method, a macro or a function."""
        if isinstance(__obj, (Macro, LoopContext, BlockReference)):
            __self._take(__self.static_size)
        # The sandbox hides a text's own format method in a function that wraps it.
        owner = getattr(getattr(__obj, "__wrapped__", __obj), "__self__", "")
        __self._take(_work(getattr(__obj, "__name__", ""), (owner, *args, *kwargs.values()), __self.steps_left))
        return __self.sized(super().call(__context, __obj, *args, **kwargs))

    def sized(self, value: Any) -> Any:  # noqa: ANN401 - any value of a template
        """Return a value, counted by its size."""
        self._take(_size(value, self.steps_left))
        return value

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree: nodes.Template = _CountedNodes().visit(super()._parse(source, name, filename))
        return tree

    def _counted(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def counted(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - any filter
            self._take(_work(name, (*args, *kwargs.values()), self.steps_left))
            return self.sized(function(*args, **kwargs))

        return counted

    def _looped(self, values: Iterable[Any], step: int) -> Iterable[Any]:
        if isinstance(values, _SIZED):
            self._take(len(values) * step)
            return values
        return self._one_by_one(values, step)

    def _one_by_one(self, values: Iterable[Any], step: int) -> Iterator[Any]:
        for value in values:
            self._take(step)
            yield value

    def _take(self, steps: int) -> None:
        self.steps_left -= steps
        if self.steps_left < 0:
            raise TooMuchWorkError("it loops, repeats or fills up too much for one sample: shorten its loops")


class _CountedNodes(NodeTransformer):
    """Puts a filter that counts around what loops run over, and around joined texts."""

    def visit_For(self, node: nodes.For) -> nodes.Node:
        self.generic_visit(node)
        written = sum(len(data.data) for part in node.body for data in part.find_all(nodes.TemplateData))
        node.iter = _filtered(node.iter, "_looped", nodes.Const(1 + written, lineno=node.lineno))
        return node

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:
        self.generic_visit(node)
        node.expr = _filtered(node.expr, "_sized")
        for operand in node.ops:
            operand.expr = _filtered(operand.expr, "_sized")
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        return _filtered(node, "_sized")


def _filtered(node: nodes.Node, name: str, *arguments: nodes.Expr) -> nodes.Filter:
    place = {"lineno": node.lineno, "environment": node.environment}
    return nodes.Filter(node, name, list(arguments), [], None, None, **place)


def _size(value: object, most: int) -> int:
    """Return what a value takes when it is written or compared: characters, entries at every depth, words of numbers.

    What several entries share counts with each of them. Counting ends above ``most``.
    """
    if isinstance(value, int):
        return value.bit_length() // 64
    if not isinstance(value, _SIZED):
        return 1
    size, waiting = len(value), [value]
    while waiting and size <= most:
        inner = waiting.pop()
        if not isinstance(inner, str | bytes | range):
            entries = inner.values() if isinstance(inner, Mapping) else inner
            parts = [entry for entry in entries if isinstance(entry, _SIZED)]
            size += sum(map(len, parts))
            waiting += parts
    return size


def _work(name: str, values: tuple[Any, ...], most: int) -> int:
    """Return the steps that a function of this name takes at most for its values."""
    sizes = sorted((_size(value, most) for value in values), reverse=True)
    work = 1 + sum(sizes)
    if name in _MULTIPLIES:
        work += sizes[0] * sizes[1] if len(sizes) > 1 else 0
    if name in _FILLS:
        work += sum(abs(value) for value in values[1:] if isinstance(value, int))
    if name in {"format", "format_map"}:
        work += _width(values)
    return work


def _width(values: tuple[Any, ...]) -> int:
    """Return the width that a format of text asks for, in itself or by a number among its values."""
    pattern = str(values[0]) if isinstance(values[0], str) else ""
    width = sum(int(number) for number in _WIDTH.findall(pattern))
    nested = "*" in pattern or re.search(r"\{[^{}]*\{", pattern) is not None
    return width + (sum(abs(value) for value in values[1:] if isinstance(value, int)) if nested else 0)


def _size_of_result(operator: str, left: Any, right: Any, most: int) -> int:  # noqa: ANN401 - any operands
    if operator == "**":
        return left.bit_length() * abs(right) if isinstance(left, int) and isinstance(right, int) else 1
    if operator == "*":
        if isinstance(left, int) and isinstance(right, int):
            return left.bit_length() + right.bit_length()
        for text, count in ((left, right), (right, left)):
            if isinstance(text, _SIZED) and isinstance(count, int):
                return len(text) * max(0, count)
    if operator == "%" and isinstance(left, str):
        return _work("format", (left, *(right if isinstance(right, tuple) else (right,))), most)
    return _size(left, most) + _size(right, most)


def _characters(value: object) -> int:
    """Return the number of characters in data, those of lists and fields within included."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(map(_characters, value.values()))
    return sum(map(_characters, value)) if isinstance(value, list | tuple) else 1
