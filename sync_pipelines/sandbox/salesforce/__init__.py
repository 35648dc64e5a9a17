"""A stand-in for Salesforce: OAuth, SOQL, records, collections, composite, deletes and merges."""

from sync_pipelines.sandbox.salesforce.ids import record_id
from sync_pipelines.sandbox.salesforce.schema import Schema, load_schema
from sync_pipelines.sandbox.salesforce.seed import seed
from sync_pipelines.sandbox.salesforce.vendor import Salesforce, open_vendor

__all__ = ["Salesforce", "Schema", "load_schema", "open_vendor", "record_id", "seed"]
