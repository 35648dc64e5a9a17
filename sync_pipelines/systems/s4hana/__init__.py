"""SAP S/4HANA behind the port: `adapter` reads entity sets, `write` sends change sets, `gateway` holds the session."""

from sync_pipelines.systems.s4hana.adapter import S4hana, open_system

__all__ = ["S4hana", "open_system"]
