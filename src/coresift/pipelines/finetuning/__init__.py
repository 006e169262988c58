"""Finetuning pipeline: an adapter tuned on the coreset."""

from coresift.pipelines.finetuning.pipeline import create_pipeline

__all__ = ["create_pipeline"]
