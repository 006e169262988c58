"""Evaluation pipeline: rank the catalogue with every method, measure, compare, report."""

from coresift.pipelines.evaluation.pipeline import create_pipeline

__all__ = ["create_pipeline"]
