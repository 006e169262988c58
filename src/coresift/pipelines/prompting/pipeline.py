"""Wiring of the prompting pipeline."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from coresift.pipelines.prompting.nodes import render_prompts


def create_pipeline(**kwargs: object) -> Pipeline:
    """Return the prompting pipeline: samples and the base model's tokenizer in, prompts out."""
    node = Node(
        func=render_prompts,
        inputs={
            "samples": "samples",
            "items": "items",
            "users": "users",
            "base_model": "base_model",
            "item_text_vectors": "item_text_vectors",
            "parameters": "params:prompting",
            "recommender": "params:recommender",
        },
        outputs="prompts",
        name="render_prompts",
    )
    return Pipeline(
        [node],
        namespace="prompting",
        parameters={"params:prompting", "params:recommender"},
        prefix_datasets_with_namespace=False,
    )
