"""The hook that says what came out of a run, and how long every stage took."""

from __future__ import annotations

import time
from collections import defaultdict
from pathlib import Path

import click
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node


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
