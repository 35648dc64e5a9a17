"""The data plane: record log, cursors, canonical records, doubts and findings, in DuckDB with DuckLake."""

from sync_pipelines.lake.lake import Lake

__all__ = ["Lake"]
