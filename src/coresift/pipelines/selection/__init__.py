"""Selection pipeline: choose the coreset, explain it, and export it for other fine-tuning tools."""

from coresift.pipelines.selection.pipeline import create_pipeline

__all__ = ["create_pipeline"]
