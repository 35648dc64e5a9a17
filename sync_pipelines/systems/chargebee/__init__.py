"""Chargebee behind the port: `record` reads lists, `feed` follows events, `write` posts, `adapter` joins them."""

from sync_pipelines.systems.chargebee.adapter import Chargebee, Position, open_system

__all__ = ["Chargebee", "Position", "open_system"]
