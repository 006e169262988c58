"""Surrogate pipeline: train a small recommender on everything, export its states and item vectors."""

from coresift.pipelines.surrogate.pipeline import create_pipeline

__all__ = ["create_pipeline"]
