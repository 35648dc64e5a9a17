"""How far a model has been read, as the adapter and the module in the server both understand it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

Key = tuple[datetime, int]
"""`last_modified_at` and id of the last record."""


def past(key: Key | None) -> list[Any]:
    """The domain of what was changed after a key."""
    if key is None:
        return []
    at, record_id = key
    return [["OR", [["last_modified_at", ">", at]], [["last_modified_at", "=", at], ["id", ">", record_id]]]]
