"""Masking: what a payload shows to those who may not see personal data: the shape of a value, not the value."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from sync_pipelines.domains import Domain
from sync_pipelines.engine.plan import Change, Write

_EMAIL = re.compile(r"([^\s@]+)@([^\s@]+)\.([^\s@.]+)")
_PHONE = re.compile(r"\+?[\d\s()./-]{5,}")


def mask(value: str) -> str:
    """The shape of a text.

    >>> mask("ann@example.com"), mask("+49 30 1234567"), mask("12 Elm Street")
    ('a…@e….com', '…67', '1… E… S…')
    """
    if found := _EMAIL.fullmatch(value):
        name, place, end = found.groups()
        return f"{name[0]}…@{place[0]}….{end}"
    if _PHONE.fullmatch(value):
        return f"…{value[-2:]}"
    return " ".join(f"{word[0]}…" for word in value.split())


def payload(write: Write, domain: Domain, *, constants: Collection[str] = ()) -> Any:
    """A write's body with personal values masked.

    A target spells its bodies in its own way, so where the domain has personal fields every text is masked but for
    what is known to be none: values of other fields, and `constants`, the words that the mapping itself writes.
    """
    return _masked(write.request.body, _hides(write, domain, constants))


def changes(write: Write, domain: Domain) -> list[Change]:
    """A write's changes with personal values masked, and those of corrections, which name no field of the domain."""
    if not any(field.is_personal for field in domain.fields):
        return list(write.changes)
    harmless = {field.name for field in domain.fields if not field.is_personal}
    return [each if each.field in harmless else _shape(each) for each in write.changes]


def _shape(change: Change) -> Change:
    before, after = (value and mask(value) for value in (change.before, change.after))
    return Change(change.field, before, after)


def _hides(write: Write, domain: Domain, constants: Collection[str]) -> Callable[[str], bool]:
    personal = {field.name for field in domain.fields if field.is_personal}
    if not personal:
        return lambda value: _EMAIL.search(value) is not None
    known = {value for each in write.changes if each.field not in personal for value in (each.before, each.after)}
    harmless = {*known, *constants}
    return lambda value: value not in harmless


def _masked(value: Any, hides: Callable[[str], bool]) -> Any:
    if isinstance(value, Mapping):
        return {key: _masked(each, hides) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(each, hides) for each in value]
    return mask(value) if isinstance(value, str) and hides(value) else value
