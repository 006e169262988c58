"""Selection pipeline: choose the coreset, explain it, and export it for other fine-tuning tools.

``params`` is imported when it is first asked for: it reads the registry of selectors, which need torch.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from coresift.pipelines.selection.pipeline import create_pipeline

if TYPE_CHECKING:
    from coresift.pipelines.selection import params
else:

    def __getattr__(name: str) -> ModuleType:
        if name == "params":
            return import_module("coresift.pipelines.selection.params")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["create_pipeline", "params"]
