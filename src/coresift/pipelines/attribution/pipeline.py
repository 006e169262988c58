"""Wiring of the attribution pipeline."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from coresift.pipelines.attribution.nodes import compute_gradient_norms, compute_influence, embed_samples


def create_pipeline(**kwargs: object) -> Pipeline:
    """Return the attribution pipeline: prompts and surrogate in; embeddings, gradient norms and influence out."""
    nodes = [
        Node(
            func=embed_samples,
            inputs={
                "prompts": "prompts",
                "parameters": "params:attribution",
                "threads": "params:threads",
                "seed": "params:seed",
            },
            outputs="sample_embeddings",
            name="embed_samples",
        ),
        Node(
            func=compute_gradient_norms,
            inputs={
                "prompts": "prompts",
                "samples": "samples",
                "items": "items",
                "base_model": "base_model",
                "semantic_ids": "semantic_ids",
                "parameters": "params:attribution",
                "recommender": "params:recommender",
                "adapter": "params:adapter",
                "device": "params:device",
                "dtype": "params:dtype",
                "threads": "params:threads",
                "seed": "params:seed",
                "data_dir": "params:data_dir",
            },
            outputs=["gradient_norms", "gradient_features"],
            name="compute_gradient_norms",
        ),
        Node(
            func=compute_influence,
            inputs={
                "samples": "samples",
                "users": "users",
                "surrogate_weights": "surrogate_weights",
                "parameters": "params:attribution",
                "device": "params:device",
                "threads": "params:threads",
                "tuning_share": "params:tuning_share",
            },
            outputs="influence_scores",
            name="compute_influence",
        ),
    ]
    return Pipeline(
        nodes,
        namespace="attribution",
        parameters={
            f"params:{name}"
            for name in (
                "attribution",
                "recommender",
                "adapter",
                "device",
                "dtype",
                "threads",
                "seed",
                "data_dir",
                "tuning_share",
            )
        },
        prefix_datasets_with_namespace=False,
    )
