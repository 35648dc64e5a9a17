"""HubSpot's CRM behind the port: `search` reads, `write` sends batches, `answer` reads refusals."""

from sync_pipelines.systems.hubspot.adapter import PASSPORT, HubSpot, open_system
from sync_pipelines.systems.hubspot.write import EXTERNAL_ID

__all__ = ["EXTERNAL_ID", "PASSPORT", "HubSpot", "open_system"]
