"""A stand-in for HubSpot's CRM: objects in lists, batches and searches, associations, merges, and its limits."""

from sync_pipelines.sandbox.hubspot.schema import Schema, load_schema
from sync_pipelines.sandbox.hubspot.seed import seed
from sync_pipelines.sandbox.hubspot.vendor import HubSpot, open_vendor

__all__ = ["HubSpot", "Schema", "load_schema", "open_vendor", "seed"]
