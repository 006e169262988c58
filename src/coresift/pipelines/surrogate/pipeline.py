"""Wiring of the surrogate pipeline."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from coresift.pipelines.surrogate.nodes import encode_samples_and_items, train_surrogate_model


def create_pipeline(**kwargs: object) -> Pipeline:
    """Return the surrogate pipeline: samples and interactions in; weights, states, item vectors and scores out."""
    nodes = [
        Node(
            func=train_surrogate_model,
            inputs={
                "interactions": "interactions",
                "samples": "samples",
                "items": "items",
                "users": "users",
                "item_text_vectors": "item_text_vectors",
                "parameters": "params:surrogate",
                "device": "params:device",
                "threads": "params:threads",
                "seed": "params:seed",
                "data_dir": "params:data_dir",
            },
            outputs=["surrogate_weights", "sample_scores", "surrogate_metrics"],
            name="train_surrogate_model",
        ),
        Node(
            func=encode_samples_and_items,
            inputs={
                "surrogate_weights": "surrogate_weights",
                "interactions": "interactions",
                "samples": "samples",
                "items": "items",
                "users": "users",
                "item_text_vectors": "item_text_vectors",
                "parameters": "params:surrogate",
                "device": "params:device",
                "threads": "params:threads",
                "seed": "params:seed",
                "data_dir": "params:data_dir",
            },
            outputs=["surrogate_states", "item_vectors", "out_of_fold_report"],
            name="encode_samples_and_items",
        ),
    ]
    return Pipeline(
        nodes,
        namespace="surrogate",
        parameters={"params:surrogate", "params:device", "params:threads", "params:seed", "params:data_dir"},
        prefix_datasets_with_namespace=False,
    )
