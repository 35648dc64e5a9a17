"""The application's role in the database: it may add to the audit trail and read it, and nothing else.

Whoever owns the tables can change them, so the application works as a role that owns nothing. Where the server's
user may not make that role, triggers alone refuse changes.
"""

from __future__ import annotations

from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import ProgrammingError

from sync_pipelines.ledger.tables import SCHEMA

ROLE = "sync_pipelines_app"
"""One role for every ledger on a server; its rights are given in each database."""

RIGHTS = (
    f"GRANT USAGE ON SCHEMA {SCHEMA} TO {ROLE}",
    f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {SCHEMA} TO {ROLE}",
    f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {SCHEMA} TO {ROLE}",
    f"REVOKE ALL ON {SCHEMA}.audit_entries, {SCHEMA}.audit_head, {SCHEMA}.revisions FROM {ROLE}",
    f"GRANT SELECT ON {SCHEMA}.audit_entries, {SCHEMA}.audit_head, {SCHEMA}.revisions TO {ROLE}",
    f"GRANT INSERT ON {SCHEMA}.audit_entries TO {ROLE}",
    f"GRANT UPDATE ON {SCHEMA}.audit_head TO {ROLE}",
)
"""What an administrator can run where the ledger's own user may not."""

_MAY_MAKE_ROLES = "SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user"
_HAS_ITS_RIGHTS = f"""
    SELECT has_schema_privilege('{SCHEMA}', 'USAGE') AND has_table_privilege('{SCHEMA}.audit_entries', 'INSERT')
       AND NOT has_table_privilege('{SCHEMA}.audit_entries', 'UPDATE, DELETE, TRUNCATE, TRIGGER')"""


def stand(connection: Connection) -> bool:
    """Whether the ledger can be worked on as the role; it is made where it is missing and may be made."""
    return _stands(connection) or renew(connection)


def renew(connection: Connection) -> bool:
    """The same, once tables were added: the role gets its rights on them too."""
    return _installed(connection) and _stands(connection)


def _install(connection: Connection) -> None:
    """Make the role, and give it its rights on every table that there is by now."""
    connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended("guard the ledger", 0))))
    if not connection.scalar(text("SELECT to_regrole(:role)"), {"role": ROLE}):
        connection.execute(text(f"CREATE ROLE {ROLE} NOLOGIN"))
    if not connection.scalar(text(f"SELECT pg_has_role('{ROLE}', 'MEMBER')")):
        connection.execute(text(f"GRANT {ROLE} TO current_user"))
    for statement in RIGHTS:
        connection.execute(text(statement))


def _installed(connection: Connection) -> bool:
    if not connection.scalar(text(_MAY_MAKE_ROLES)):
        return False
    try:
        with connection.begin_nested():
            _install(connection)
    except ProgrammingError:  # another user of this server made the role, and alone may give it away
        return False
    return True


def _stands(connection: Connection) -> bool:
    nested = connection.begin_nested()
    try:
        connection.execute(text(f"SET LOCAL ROLE {ROLE}"))
        return bool(connection.scalar(text(_HAS_ITS_RIGHTS)))
    except ProgrammingError:
        return False
    finally:
        nested.rollback()
