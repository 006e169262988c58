"""Kedro pipelines: one folder each, with nodes, wiring and typed parameters."""
