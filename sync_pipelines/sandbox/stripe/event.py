"""Events: what was before, which names there are, and how far back they can be read."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from sync_pipelines.sandbox.store import Document

DAYS_KEPT = 30
_ABSENT = object()


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """`previous_attributes`: the former values of what changed; mappings are compared key by key.

    >>> changes({"name": "A", "metadata": {"k": "1"}}, {"name": "B", "metadata": {"k": "1", "n": "2"}})
    {'name': 'A', 'metadata': {'n': None}}
    """
    previous: dict[str, Any] = {}
    for name in (*before, *(name for name in after if name not in before)):
        old, new = before.get(name, _ABSENT), after.get(name, _ABSENT)
        if old == new:
            continue
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            previous[name] = changes(old, new)
        else:
            previous[name] = None if old is _ABSENT else old
    return previous


def is_kept(event: Document, now: int) -> bool:
    return bool(event["created"] > now - DAYS_KEPT * 86_400)


def is_named(event: Document, patterns: list[str]) -> bool:
    """Whether the type is one of these; `*` stands for any part."""
    return any(fnmatchcase(event["type"], pattern) for pattern in patterns)
