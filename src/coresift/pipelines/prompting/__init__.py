"""Samples become prompts and tokens."""

from coresift.pipelines.prompting.pipeline import create_pipeline

__all__ = ["create_pipeline"]
