"""Zendesk Support behind the port: `export` and `record` read, `write` and `job` write, `slot` knows entitlements."""

from sync_pipelines.systems.zendesk.adapter import PASSPORT, Zendesk, open_system

__all__ = ["PASSPORT", "Zendesk", "open_system"]
