"""Doors of rooms that open when somebody goes through: a room's names cost no import until one of them is used.

A door writes its imports for readers and type checkers, and lets this module follow them at run time::

    if TYPE_CHECKING:
        from coresift.finetuning.loop import fine_tune
        from coresift.finetuning.options import FineTuningOptions
    else:
        __getattr__ = opened_when_used(__name__)

So ``from coresift.finetuning import FineTuningOptions`` imports a dataclass and not torch, so that commands which
only list pipelines stay quick.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path


def opened_when_used(door: str) -> Callable[[str], object]:
    """Return a module's ``__getattr__``, which imports a name from where the module says that it lies.

    Args:
        door: Name of the module, whose ``if TYPE_CHECKING`` holds ``from ... import ...`` statements.
    """

    @cache
    def places() -> dict[str, str]:
        return _imports_for_readers(Path(str(sys.modules[door].__file__)).read_text(encoding="utf-8"))

    def opened(name: str) -> object:
        if name not in places():
            raise AttributeError(f"module {door!r} has no attribute {name!r}")
        value = getattr(import_module(places()[name]), name)
        setattr(sys.modules[door], name, value)
        return value

    return opened


def _imports_for_readers(source: str) -> dict[str, str]:
    """Return the module of every name that is imported for type checkers alone."""
    blocks = [node for node in ast.parse(source).body if isinstance(node, ast.If)]
    statements = [node for block in blocks for node in block.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: node.module or "" for node in statements for alias in node.names}
