"""Wiring of the evaluation pipeline."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from coresift.pipelines.evaluation.nodes import measure_rankings, rank_with_baselines, rank_with_language_model


def create_pipeline(**kwargs: object) -> Pipeline:
    """Return the evaluation pipeline: adapter, surrogate and samples in; rankings, metrics and a report out."""
    nodes = [
        Node(
            func=rank_with_language_model,
            inputs={
                "adapter": "adapter",
                "base_model": "base_model",
                "prompts": "prompts",
                "items": "items",
                "samples": "samples",
                "interactions": "interactions",
                "surrogate_states": "surrogate_states",
                "item_vectors": "item_vectors",
                "semantic_ids": "semantic_ids",
                "parameters": "params:evaluation",
                "recommender": "params:recommender",
                "device": "params:device",
                "dtype": "params:dtype",
                "threads": "params:threads",
                "seed": "params:seed",
            },
            outputs=[
                "rankings",
                "recommender_rankings",
                "predictions",
                "recommender_predictions",
                "recommender_priors",
            ],
            name="rank_with_language_model",
        ),
        Node(
            func=rank_with_baselines,
            inputs={
                "interactions": "interactions",
                "samples": "samples",
                "items": "items",
                "surrogate_weights": "surrogate_weights",
                "surrogate_states": "surrogate_states",
                "item_vectors": "item_vectors",
                "parameters": "params:evaluation",
                "recommender": "params:recommender",
                "threads": "params:threads",
                "seed": "params:seed",
            },
            outputs=["baseline_rankings", "baseline_predictions", "baseline_priors"],
            name="rank_with_baselines",
        ),
        Node(
            func=measure_rankings,
            inputs={
                "recommender_rankings": "recommender_rankings",
                "baseline_rankings": "baseline_rankings",
                "recommender_predictions": "recommender_predictions",
                "baseline_predictions": "baseline_predictions",
                "recommender_priors": "recommender_priors",
                "baseline_priors": "baseline_priors",
                "samples": "samples",
                "interactions": "interactions",
                "items": "items",
                "parameters": "params:evaluation",
                "recommender": "params:recommender",
                "seed": "params:seed",
            },
            outputs=["user_metrics", "metrics", "evaluation_report", "metrics_plot"],
            name="measure_rankings",
        ),
    ]
    return Pipeline(
        nodes,
        namespace="evaluation",
        parameters={
            "params:evaluation",
            "params:recommender",
            "params:device",
            "params:dtype",
            "params:threads",
            "params:seed",
        },
        prefix_datasets_with_namespace=False,
    )
