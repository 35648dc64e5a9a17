"""The control plane: links, plans, writes, work items and the audit trail, in PostgreSQL."""
