"""The control plane: links, plans, writes, work items and the audit trail, in PostgreSQL."""

from sync_pipelines.ledger.ledger import Ledger
from sync_pipelines.ledger.work_items import WorkItem

__all__ = ["Ledger", "WorkItem"]
