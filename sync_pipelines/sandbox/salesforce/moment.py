"""Instants and dates as Salesforce writes them: whole seconds, `+0000`; as text they sort like time."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

from sync_pipelines.sandbox.salesforce.fault import Refusal

_COMPACT_ZONE = re.compile(r"([+-]\d\d)(\d\d)$")


def stamp(instant: datetime) -> str:
    """An instant in the vendor's form, with the grain of a second.

    >>> stamp(datetime(2026, 11, 2, 8, 0, 0, 999_000, tzinfo=UTC))
    '2026-11-02T08:00:00.000+0000'
    """
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def instant_of(text: str) -> datetime:
    """The instant behind a text with a zone in any ISO form; `ValueError` for anything else.

    >>> instant_of("2026-11-02T08:00:00.000+0000").isoformat()
    '2026-11-02T08:00:00+00:00'
    """
    instant = datetime.fromisoformat(_COMPACT_ZONE.sub(r"\1:\2", text))
    if instant.tzinfo is None:
        raise ValueError(f"{text!r} has no zone")
    return instant.astimezone(UTC)


def exact_stamp(text: str) -> str:
    """A literal of a query in the vendor's form, with its milliseconds."""
    instant = instant_of(text)
    return instant.strftime("%Y-%m-%dT%H:%M:%S.") + f"{instant.microsecond // 1000:03}+0000"


def day(text: object) -> str:
    """A checked `YYYY-MM-DD`; `ValueError` for anything else."""
    if not isinstance(text, str) or len(text) != 10:
        raise ValueError(f"{text!r} is no date")
    return date.fromisoformat(text).isoformat()


def parameter(name: str, text: str | None) -> datetime:
    """A `start` or `end` of the replication calls, whose seconds are dropped."""
    if not text:
        raise Refusal("MISSING_ARGUMENT", f"{name} is required")
    try:
        return instant_of(text.replace(" ", "+")).replace(second=0, microsecond=0)
    except ValueError as error:
        raise Refusal("INVALID_REPLICATION_DATE", f"{name} is not a valid date: {text}") from error
