"""Hooks: check every parameter before the first node, the budget as soon as it can be, and say what came out."""

from __future__ import annotations

import shutil
import time
from collections import defaultdict
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from pydantic import BaseModel, ValidationError

from coresift import parameters as shared

PIPELINES = (
    "ingestion",
    "foundation",
    "prompting",
    "surrogate",
    "attribution",
    "selection",
    "finetuning",
    "evaluation",
)
SHARED_MODELS: dict[str, type[BaseModel]] = {
    "data_dir": shared.DataDirectory,
    "device": shared.Device,
    "dtype": shared.Dtype,
    "threads": shared.Threads,
    "seed": shared.Seed,
    "tuning_share": shared.TuningShare,
    "recommender": shared.RecommenderParameters,
    "adapter": shared.AdapterParameters,
    "personalization": shared.PersonalizationParameters,
}
KNOWN_WITHOUT_MODEL = {"raw_dir"}
"""Runtime parameters that only the catalog reads."""


def parameter_models() -> dict[str, type[BaseModel]]:
    """Return the model of every top-level parameter, by name."""
    sections = {
        name: getattr(import_module(f"coresift.pipelines.{name}.params"), f"{name.capitalize()}Parameters")
        for name in PIPELINES
    }
    return {**SHARED_MODELS, **sections}


def check_parameters(raw: dict[str, Any]) -> None:
    """Validate every section, whichever pipelines run.

    Raises:
        ValueError: If a name is unknown (with the nearest valid one) or a value does not fit.
    """
    models = parameter_models()
    for name, value in raw.items():
        if name in KNOWN_WITHOUT_MODEL:
            continue
        if name not in models:
            raise ValueError(_unknown(name, [*models, *KNOWN_WITHOUT_MODEL]))
        _check_section(name, value, models[name])


def _check_section(name: str, value: object, model: type[BaseModel]) -> None:
    try:
        model.model_validate(value)
    except ValidationError as error:
        problem = error.errors()[0]
        path = [name, *(str(part) for part in problem["loc"])]
        if problem["type"] == "extra_forbidden":
            raise ValueError(_unknown(".".join(path), _siblings(model, path[1:-1], name))) from None
        raise ValueError(f"parameter '{'.'.join(path)}': {problem['msg']}, got {problem['input']!r}") from None


def _siblings(model: type[BaseModel], inner: list[str], prefix: str) -> list[str]:
    """Return the dotted names that are valid where an unknown one was found."""
    for part in inner:
        prefix += f".{part}"
        annotation = model.model_fields[part].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return [f"{prefix}.{field}" for field in model.model_fields]


def _unknown(name: str, known: list[str]) -> str:
    nearest = get_close_matches(name, known, n=1)
    hint = f": did you mean '{nearest[0]}'?" if nearest else f": known are {', '.join(sorted(known))}"
    return f"unknown parameter '{name}'{hint}"


class ParametersHook:
    """Stops a run with a wrong parameter or base model before any node."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Check all sections, and what they need: a base model's path, four bits; make the data folder absolute."""
        raw = context.config_loader["parameters"]
        check_parameters(raw)
        directory = str(raw["data_dir"])
        if "://" not in directory:
            # A run started in a subfolder works on the same data.
            context.config_loader["parameters"] = {**raw, "data_dir": str(context.project_path / directory)}
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
    def before_pipeline_run(self, pipeline: Pipeline) -> None:
        """Refuse prompts that the small model will not read before it is trained.

        Raises:
            ValueError: If they are too long.
        """
        if self._trained_here and {"base_model", "prompts"} <= pipeline.all_outputs():
            from coresift.foundation import check_small_model

            check_small_model(self._trained_here)


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
