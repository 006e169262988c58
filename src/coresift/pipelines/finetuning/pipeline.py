"""Wiring of the finetuning pipeline."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from coresift.pipelines.finetuning.nodes import fine_tune_on_coreset


def create_pipeline(**kwargs: object) -> Pipeline:
    """Return the finetuning pipeline: coreset and base model in; adapter, training log and loss curve out."""
    shared = (
        "recommender",
        "adapter",
        "personalization",
        "device",
        "dtype",
        "threads",
        "seed",
        "data_dir",
        "tuning_share",
    )
    node = Node(
        func=fine_tune_on_coreset,
        inputs={
            name: name
            for name in ("prompts", "samples", "items", "coreset", "base_model", "surrogate_states", "semantic_ids")
        }
        | {"parameters": "params:finetuning"}
        | {name: f"params:{name}" for name in shared},
        outputs=["adapter", "training_log", "loss_curve"],
        name="fine_tune_on_coreset",
    )
    return Pipeline(
        [node],
        namespace="finetuning",
        parameters={f"params:{name}" for name in ("finetuning", *shared)},
        prefix_datasets_with_namespace=False,
    )
