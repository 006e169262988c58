"""The base model and the vectors of item texts."""

from coresift.pipelines.foundation.pipeline import create_pipeline

__all__ = ["create_pipeline"]
