"""Wiring of the foundation pipeline."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from coresift.pipelines.foundation.nodes import build_base_model, embed_item_texts


def create_pipeline(**kwargs: object) -> Pipeline:
    """Return the foundation pipeline: items in; base model, item text vectors and semantic ids out."""
    shared = {"items": "items", "parameters": "params:foundation", "seed": "params:seed", "threads": "params:threads"}
    nodes = [
        Node(
            func=build_base_model,
            inputs={**shared, "data_dir": "params:data_dir"},
            outputs="base_model",
            name="build_base_model",
        ),
        Node(
            func=embed_item_texts,
            inputs={
                **shared,
                "recommender": "params:recommender",
                "device": "params:device",
                "dtype": "params:dtype",
            },
            outputs=["item_text_vectors", "semantic_ids"],
            name="embed_item_texts",
        ),
    ]
    parameters = {
        f"params:{name}" for name in ("foundation", "recommender", "seed", "threads", "data_dir", "device", "dtype")
    }
    return Pipeline(nodes, namespace="foundation", parameters=parameters, prefix_datasets_with_namespace=False)
