"""The lake's own tables, all append-only, and what "current" means in the record log."""

from __future__ import annotations

TABLES: dict[str, tuple[str, ...]] = {
    "record_log": (
        """CREATE TABLE lake.record_log (
            system VARCHAR, object VARCHAR, record_id VARCHAR, version VARCHAR, is_deleted BOOLEAN,
            payload VARCHAR, payload_hash VARCHAR, extracted_at TIMESTAMPTZ, run_id VARCHAR)""",
        "ALTER TABLE lake.record_log SET PARTITIONED BY (system, object)",
    ),
    "cursor_log": (
        """CREATE TABLE lake.cursor_log (
            system VARCHAR, object VARCHAR, cursor VARCHAR, read_at TIMESTAMPTZ, run_id VARCHAR)""",
    ),
    "findings": (
        """CREATE TABLE lake.findings (
            run_id VARCHAR, domain VARCHAR, kind VARCHAR, system_a VARCHAR, record_a VARCHAR, system_b VARCHAR,
            record_b VARCHAR, link_id VARCHAR, label VARCHAR, field VARCHAR, value_a VARCHAR, value_b VARCHAR,
            amount_minor BIGINT, currency VARCHAR, legal_entity VARCHAR, period VARCHAR, reason VARCHAR,
            is_primary BOOLEAN)""",
    ),
}
"""Statements that make each table, by its name."""

CURRENT = """
    SELECT record_id, version, is_deleted, payload, payload_hash, extracted_at FROM lake.record_log
    WHERE system = {system} AND object = {object}
    QUALIFY row_number() OVER (PARTITION BY record_id ORDER BY rowid DESC) = 1
"""
"""The newest entry of every record of an object, tombstones included.

The row id follows the order of commits and survives merging files; clocks and versions promise neither.
"""
