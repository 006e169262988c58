"""The hook that stops a run whose selection is going to lack something."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.pipeline import Pipeline


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

        from coresift.storage import TRAIN, read_column

        split = read_column(outputs["samples"], "split")
        budget, pool = self._selection["budget"], pc.sum(pc.equal(split, TRAIN)).as_py() or 0
        if budget > pool:
            _discard_drafts(outputs)
            raise ValueError(f"budget {budget} > {pool} candidates: lower selection.budget")


def _discard_drafts(outputs: dict[str, Any]) -> None:
    """Delete the files that a node made in a work folder and that no dataset is going to take in."""
    from coresift.storage import WORK_FOLDER_NAME

    for made in outputs.values():
        if isinstance(made, Path) and WORK_FOLDER_NAME in made.parts:
            shutil.rmtree(made.parent, ignore_errors=True)
