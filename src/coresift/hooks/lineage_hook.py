"""The hook that keeps one lineage: what a run reads is of one origin and stays the same to its end."""

from __future__ import annotations

from collections import ChainMap, defaultdict
from pathlib import Path, PurePosixPath
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.io import AbstractVersionedDataset, DataCatalog
from kedro.io.core import VersionNotFoundError, get_filepath_str
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from pydantic import BaseModel

import coresift

IMMATERIAL = frozenset({"params:data_dir", "params:device", "params:threads"})
"""Parameters that say where and on what a stage computes, not what: no part of a lineage."""


class LineageHook:
    """Stops a run whose inputs do not belong together, and writes where every dataset of the run came from."""

    def __init__(self) -> None:
        self._planned: dict[str, Any] = {}
        self._written: dict[str, AbstractVersionedDataset] = {}

    @hook_impl
    def after_catalog_created(self, catalog: DataCatalog) -> None:
        """Remember the catalog."""
        self._catalog = catalog

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Hold every input to the version found now, and check all stages before the first one computes.

        Raises:
            ValueError: If a stage would read datasets of different origins.
        """
        from coresift.storage import check_one_origin

        self._planned, self._written = {}, {}
        known, runs = _found_lineages(pipeline, catalog)
        for node in pipeline.nodes:
            inputs = {name: known[name] for name in node.inputs if name in known}
            check_one_origin(node.name, inputs, defaultdict(lambda: run_params["run_id"], runs))
            lineage = _lineage(node, inputs, catalog, run_params["run_id"])
            known |= dict.fromkeys(node.outputs, lineage)
            self._planned |= dict.fromkeys(node.outputs, lineage)

    @hook_impl
    def before_dataset_saved(self, dataset_name: str) -> None:
        """Write the lineage first, so that no dataset exists without it."""
        from coresift.storage import write_lineage

        dataset = self._catalog.get(dataset_name)
        if dataset_name in self._planned and dataset_name not in self._written and _is_versioned(dataset):
            write_lineage(_folder(dataset, dataset._get_save_path()), self._planned[dataset_name])
            self._written[dataset_name] = dataset

    @hook_impl
    def on_pipeline_error(self) -> None:
        """Take back the lineage of what was not saved."""
        from coresift.storage.lineage import LINEAGE_FILE

        for dataset in self._written.values():
            path = dataset._get_versioned_path(dataset.resolve_save_version())
            folder = _folder(dataset, path)
            if not dataset._exists_function(str(path)) and folder.exists():
                folder.filesystem.rm(f"{folder.path}/{LINEAGE_FILE}")


def _found_lineages(pipeline: Pipeline, catalog: DataCatalog) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the lineage and the run of what is going to be read, by name; datasets without lineage are left out."""
    from coresift.storage import read_lineage

    found, runs = {}, {}
    for name in sorted(pipeline.inputs()):
        dataset = catalog.get(name)
        if not _is_versioned(dataset) or not hasattr(dataset, "pin"):
            continue
        try:
            dataset.pin()
            lineage = read_lineage(_folder(dataset, dataset._get_load_path()))
        except VersionNotFoundError:  # reported with its remedy when it is read
            continue
        if lineage is not None:
            found[name], runs[name] = lineage, dataset.resolve_load_version()
    return found, runs


def _lineage(node: Node, inputs: dict[str, Any], catalog: DataCatalog, run: str) -> Any:  # noqa: ANN401 - a storage Lineage
    """Return the lineage of what a node is going to write."""
    from coresift.storage import Lineage, fingerprint

    given: dict[str, object] = {name: lineage.fingerprint for name, lineage in inputs.items()}
    for name in set(node.inputs) - set(given) - IMMATERIAL:
        given[name] = _identity(name, catalog, run)
    behind = ChainMap(*(lineage.stages for lineage in inputs.values()))
    return Lineage(node.name, {**behind, node.name: fingerprint(node.name, given)}, coresift.__version__)


def _identity(name: str, catalog: DataCatalog, run: str) -> object:
    """Return what stands for an input without lineage: a parameter's value, what raw data say, or the run."""
    if name.startswith("params:"):
        value = catalog.load(name)
        value = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
        return [value, _weights_in_place(value.get("model"))] if name == "params:foundation" else value
    identity = getattr(catalog.get(name), "identity", None)
    return run if identity is None else identity(run)


def _weights_in_place(model: str | None) -> str | None:
    """Return what tells the weights of a base model in a local folder, which may change under the same path."""
    from coresift.storage import fingerprint

    folder = Path(model).expanduser() if model else None
    return fingerprint(folder) if folder and folder.is_dir() else None


def _is_versioned(dataset: object) -> bool:
    return isinstance(dataset, AbstractVersionedDataset) and dataset._version is not None


def _folder(dataset: Any, path: PurePosixPath) -> Any:  # noqa: ANN401 - any versioned dataset on an fsspec store
    """Return the version's folder that holds a dataset."""
    from coresift.storage import Location

    return Location(dataset._fs, get_filepath_str(path.parent, dataset._protocol))
