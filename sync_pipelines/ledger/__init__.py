"""The control plane: links, plans, writes, work items and the audit trail, in PostgreSQL."""

from sync_pipelines.ledger.ledger import Ledger
from sync_pipelines.ledger.plans import Origin, Plan
from sync_pipelines.ledger.work_items import Assigned, WorkItem
from sync_pipelines.ledger.writes import SavedWrite

__all__ = ["Assigned", "Ledger", "Origin", "Plan", "SavedWrite", "WorkItem"]
