"""A stand-in for NetSuite: OAuth by certificate or token, SuiteQL, records, batches as jobs, and the rules of books."""

from sync_pipelines.sandbox.netsuite.access import CERTIFICATE, private_key
from sync_pipelines.sandbox.netsuite.schema import Schema, load_schema
from sync_pipelines.sandbox.netsuite.seed import seed
from sync_pipelines.sandbox.netsuite.vendor import NetSuite, open_vendor

__all__ = ["CERTIFICATE", "NetSuite", "Schema", "load_schema", "open_vendor", "private_key", "seed"]
