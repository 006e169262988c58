"""Wiring of the ingestion pipeline."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from coresift.pipelines.ingestion.nodes import ingest_interactions


def create_pipeline(**kwargs: object) -> Pipeline:
    """Return the ingestion pipeline: raw tables in; interactions, items, users, samples and a report out."""
    node = Node(
        func=ingest_interactions,
        inputs={
            "raw_interactions": "raw_interactions",
            "raw_items": "raw_items",
            "raw_users": "raw_users",
            "parameters": "params:ingestion",
            "threads": "params:threads",
            "seed": "params:seed",
            "data_dir": "params:data_dir",
        },
        outputs=[
            "interactions",
            "items",
            "users",
            "samples",
            "rejected_rows",
            "ingestion_report",
            "corpus_overview",
        ],
        name="ingest_interactions",
    )
    return Pipeline(
        [node],
        namespace="ingestion",
        parameters={"params:ingestion", "params:threads", "params:seed", "params:data_dir"},
        prefix_datasets_with_namespace=False,
    )
