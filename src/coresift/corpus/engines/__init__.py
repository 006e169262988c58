"""What computes ingestion: DuckDB in the process, or Spark."""
