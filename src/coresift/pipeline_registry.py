"""The project's pipelines, in the order of a sample's journey."""

from __future__ import annotations

from kedro.framework.project import find_pipelines
from kedro.pipeline import Pipeline

from coresift.hooks import PIPELINES


def register_pipelines() -> dict[str, Pipeline]:
    """Return every pipeline by name, and ``__default__``: all of them.

    Kedro finds folders in the order of the disk, and of ``kedro run --pipelines=x`` that one only. Pipelines that a
    team adds come last, by name.
    """
    found = find_pipelines(raise_errors=True)
    names = [name for name in PIPELINES if name in found]
    names += sorted(set(found) - {*PIPELINES, "__default__"})
    return {name: found[name] for name in names} | {"__default__": sum(found.values(), start=Pipeline([]))}
