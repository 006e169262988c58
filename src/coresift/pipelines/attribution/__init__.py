"""Attribution pipeline: what every training sample is worth, in three views."""

from coresift.pipelines.attribution.pipeline import create_pipeline

__all__ = ["create_pipeline"]
