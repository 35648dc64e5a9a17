"""Gainsight CS behind the port: `query` and `listing` read, `write` writes, `answer` tells what refusals mean."""

from sync_pipelines.systems.gainsight.adapter import PASSPORT, Gainsight, open_system

__all__ = ["PASSPORT", "Gainsight", "open_system"]
