"""NetSuite behind the port: `adapter` reads by SuiteQL, `write` writes records, `auth` proves who asks."""

from sync_pipelines.systems.netsuite.adapter import NetSuite, open_system

__all__ = ["NetSuite", "open_system"]
