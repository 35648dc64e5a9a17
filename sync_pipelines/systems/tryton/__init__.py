"""Tryton behind the port: `adapter` reads, `write` writes, over one `session` of JSON-RPC with typed `value`s."""

from sync_pipelines.systems.tryton.adapter import Tryton, open_system

__all__ = ["Tryton", "open_system"]
