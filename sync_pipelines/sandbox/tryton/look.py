"""What the module sync_pipelines answers where the database has activated it: which models have a record past a key."""

from __future__ import annotations

from typing import Any

from sync_pipelines.sandbox.tryton.database import Database
from sync_pipelines.sandbox.tryton.fault import Crash
from sync_pipelines.sandbox.tryton.reading import Reader
from sync_pipelines.sandbox.tryton.schema import Model

LOOK = Model("sync_pipelines.look", "Sync Pipelines Look", {}, ())
"""It has no records: only `changed` can be called."""


def changed(database: Database, reader: Reader, cursors: Any, *, active_test: bool) -> list[str]:
    """As `systems.tryton_module` does it, for a user who may read every model."""
    try:
        return [
            name
            for name, key in cursors.items()
            if reader.count(database.model(name), _past(key), 0, 1, active_test=active_test)
        ]
    except (AttributeError, TypeError, ValueError) as error:
        raise Crash(str(error)) from error


def _past(key: Any) -> list[Any]:
    if key is None:
        return []
    at, record_id = key
    return [["OR", [["last_modified_at", ">", at]], [["last_modified_at", "=", at], ["id", ">", record_id]]]]
