"""Hooks: check every parameter before the first node, the budget as soon as it can be, and say what came out."""

from __future__ import annotations

import shutil
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from coresift.parameter_checks import PIPELINES, check_parameters, parameter_models
from coresift.places import PLACES, check_readable, check_writable, read_parameters, settled

__all__ = ["PIPELINES", "ParametersHook", "RunSummaryHook", "SelectionHook", "check_parameters", "parameter_models"]


class ParametersHook:
    """Stops a run with a wrong parameter, place or base model before any node, and decides where everything lies."""

    @hook_impl(tryfirst=True)
    def after_context_created(self, context: KedroContext) -> None:
        """Check all sections, and what they need: a base model's path, four bits; decide on data_dir and raw_dir."""
        loader = context.config_loader
        raw = read_parameters(loader)
        check_parameters(raw)
        places = {name: settled(name, raw[name], context.project_path) for name in PLACES if name in raw}
        loader["parameters"] = {**raw, **places}
        # The catalog reads runtime parameters only, so that whatever decided on a place becomes one of them.
        loader.runtime_params = {**loader.runtime_params, **places}
        loader._runtime_params_oc = None
        self._places = places
        model = raw.get("foundation", {}).get("model")
        if model:
            from coresift.foundation import check_base_model

            check_base_model(model, max_tokens=raw.get("prompting", {}).get("max_tokens"))
        self._trained_here = None if model else raw.get("prompting", {}).get("max_tokens")
        if raw["dtype"] == "nf4":
            from coresift.compute import resolve_device
            from coresift.foundation import check_four_bits

            check_four_bits(resolve_device(raw["device"]))

    @hook_impl
    def before_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Check that raw data is where it should be, that every output can be written, and that prompts will be read.

        Raises:
            ValueError: If a place does not do, or prompts are longer than the small model that is trained here reads.
        """
        raw_dir = self._places.get("raw_dir")
        if raw_dir and any(path.startswith(raw_dir) for path in _paths(pipeline.inputs(), catalog)):
            check_readable("raw_dir", raw_dir)
        check_writable("data_dir", self._places["data_dir"], _paths(pipeline.all_outputs(), catalog))
        if self._trained_here and {"base_model", "prompts"} <= pipeline.all_outputs():
            from coresift.foundation import check_small_model

            check_small_model(self._trained_here)


def _paths(names: Iterable[str], catalog: DataCatalog) -> list[str]:
    """Return the paths of those datasets that have one."""
    datasets = [catalog.get(name) for name in sorted(names)]
    return [str(dataset._describe().get("filepath", "")) for dataset in datasets if dataset is not None]


class SelectionHook:
    """Stops a run early whose selection is going to lack something: a kind of gradients, or enough training samples."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Remember what selection is going to ask for, and which gradients are measured."""
        raw = context.config_loader["parameters"]
        self._selection = raw.get("selection", {})
        self._attribution = raw.get("attribution", {})

    @hook_impl
    def before_pipeline_run(self, pipeline: Pipeline) -> None:
        """Compare the gradients that the method reads with those that this run measures.

        Raises:
            ValueError: If the method needs gradients that attribution is told not to measure.
        """
        if "coreset" not in pipeline.all_outputs():
            return
        from coresift.pipelines.selection.params import SelectionParameters

        selection = SelectionParameters.model_validate(self._selection)
        for dataset, needed in (
            ("gradient_features", selection.reads_gradient_features),
            ("gradient_norms", selection.reads_gradient_norms),
        ):
            if needed and dataset in pipeline.all_outputs() and not self._measures(dataset):
                raise ValueError(
                    f"selection.method {selection.method} with these options reads {dataset.replace('_', ' ')}: set "
                    f"attribution.{dataset}.enabled to true"
                )

    def _measures(self, dataset: str) -> bool:
        return bool(self._attribution.get(dataset, {}).get("enabled", False))

    @hook_impl
    def after_node_run(self, outputs: dict[str, Any]) -> None:
        """Compare the budget with the samples that a node has just made.

        Raises:
            ValueError: If the budget is larger than the pool.
        """
        if "samples" not in outputs or self._selection.get("method") == "all":
            return
        import pyarrow.compute as pc

        from coresift.storage import read_column

        split = read_column(outputs["samples"], "split")
        budget, pool = self._selection["budget"], pc.sum(pc.equal(split, 0)).as_py() or 0
        if budget > pool:
            _discard_drafts(outputs)
            raise ValueError(f"budget {budget} > {pool} candidates: lower selection.budget")


def _discard_drafts(outputs: dict[str, Any]) -> None:
    """Delete the files that a node made in a work folder and that no dataset is going to take in."""
    from coresift.storage import WORK_FOLDER_NAME

    for made in outputs.values():
        if isinstance(made, Path) and WORK_FOLDER_NAME in made.parts:
            shutil.rmtree(made.parent, ignore_errors=True)


class RunSummaryHook:
    """Prints a table of results and the seconds of every stage when a run ends."""

    def __init__(self) -> None:
        self._started: dict[str, float] = {}
        self._seconds: dict[str, float] = defaultdict(float)

    @hook_impl
    def before_pipeline_run(self) -> None:
        """Forget the times of an earlier run in this process."""
        self._started.clear()
        self._seconds.clear()

    @hook_impl
    def before_dataset_loaded(self, node: Node) -> None:
        """Start a node's clock when its first input is read."""
        self._started.setdefault(node.name, time.perf_counter())

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Start the clock of a node without inputs."""
        self._started.setdefault(node.name, time.perf_counter())

    @hook_impl
    def after_dataset_saved(self, node: Node) -> None:
        """Stop a node's clock after each output; the last one counts."""
        now = time.perf_counter()
        self._seconds[node.namespace or node.name] += now - self._started[node.name]
        self._started[node.name] = now

    @hook_impl
    def after_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Print the summary."""
        stages = "  ".join(f"{stage} {seconds:.0f} s" for stage, seconds in self._seconds.items())
        lines = ["", f"stages: {stages}"]
        if {"metrics", "evaluation_report"} <= pipeline.outputs() | pipeline.datasets():
            from coresift.evaluation import metrics_summary_lines

            report = catalog["evaluation_report"]._describe()["filepath"]
            version = catalog["evaluation_report"].resolve_load_version()
            location = f"{report}/{version}/{Path(report).name}" if version else str(report)
            lines = ["", *metrics_summary_lines(catalog.load("metrics")), *lines, f"report: {location}"]
        click.echo("\n".join(lines))
