"""Raw tables become interactions, items, users and samples."""

from coresift.pipelines.ingestion.pipeline import create_pipeline

__all__ = ["create_pipeline"]
