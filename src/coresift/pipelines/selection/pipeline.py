"""Wiring of the selection pipeline."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from coresift.pipelines.selection.nodes import export_coreset, select_coreset


def create_pipeline(**kwargs: object) -> Pipeline:
    """Return the selection pipeline: scored samples in; coreset, export, report and figures out."""
    nodes = [
        Node(
            func=select_coreset,
            inputs={
                "samples": "samples",
                "prompts": "prompts",
                "sample_scores": "sample_scores",
                "sample_embeddings": "sample_embeddings",
                "gradient_norms": "gradient_norms",
                "gradient_features": "gradient_features",
                "influence_scores": "influence_scores",
                "surrogate_states": "surrogate_states",
                "parameters": "params:selection",
                "device": "params:device",
                "threads": "params:threads",
                "seed": "params:seed",
                "tuning_share": "params:tuning_share",
            },
            outputs=["coreset", "selection_report", "descent_plot", "coverage_map"],
            name="select_coreset",
        ),
        Node(
            func=export_coreset,
            inputs={"coreset": "coreset", "prompts": "prompts", "parameters": "params:selection"},
            outputs="coreset_export",
            name="export_coreset",
        ),
    ]
    return Pipeline(
        nodes,
        namespace="selection",
        parameters={"params:selection", "params:device", "params:threads", "params:seed", "params:tuning_share"},
        prefix_datasets_with_namespace=False,
    )
