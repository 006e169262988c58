"""Hook: empty a node's work folder once everything it made is saved, and never before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.io import AbstractVersionedDataset, CatalogProtocol
from kedro.pipeline.node import Node


class WorkHook:
    """Deletes a node's work folder when its last output is saved; a run that fails leaves it to the next.

    A file or folder that a node hands over in memory, by its path, is still needed and stays.
    """

    def __init__(self) -> None:
        self._unsaved: dict[str, set[str]] = {}
        self._in_memory: dict[str, set[str]] = {}

    @hook_impl
    def before_node_run(self, node: Node, catalog: CatalogProtocol) -> None:
        """Note what is going to be saved, and what goes from hand to hand."""
        self._unsaved[node.name] = set(node.outputs)
        stored = {name for name in node.outputs if isinstance(catalog.get(name), AbstractVersionedDataset)}
        self._in_memory[node.name] = set(node.outputs) - stored

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, data: Any, node: Node) -> None:  # noqa: ANN401
        """Delete the node's work after its last output."""
        from coresift.storage import finish_work, leave_work

        if isinstance(data, Path) and dataset_name in self._in_memory[node.name]:
            leave_work()
        self._unsaved[node.name].discard(dataset_name)
        if not self._unsaved[node.name]:
            finish_work()

    @hook_impl
    def on_pipeline_error(self) -> None:
        """Give up the folders of the node that failed, as they are."""
        from coresift.storage import leave_work

        leave_work()
