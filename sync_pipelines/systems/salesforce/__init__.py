"""Salesforce behind the port: `adapter` speaks REST, `soql` writes its queries, `answer` reads its refusals."""

from sync_pipelines.systems.salesforce.adapter import EXTERNAL_ID, PASSPORT, Salesforce, open_system

__all__ = ["EXTERNAL_ID", "PASSPORT", "Salesforce", "open_system"]
