"""SAP ECC behind the port, by files alone: `outbox` sends IDocs and reads acknowledgements, `drop` reads extracts."""

from sync_pipelines.systems.ecc.adapter import PASSPORT, Ecc, open_system

__all__ = ["PASSPORT", "Ecc", "open_system"]
