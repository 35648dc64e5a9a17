"""A system's passport as its topology sets it right: what a vendor does not promise is experience of one's own."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from sync_pipelines.engine.port import CONFIGURABLE, Passport
from sync_pipelines.engine.topology import SystemSettings
from sync_pipelines.errors import FixConfiguration


def configured(passport: Passport, settings: SystemSettings) -> Passport:
    """The passport with what `[systems.NAME]` says of lateness, settling, idempotency and retirement."""
    given = {name: _parsed(name, settings) for name in CONFIGURABLE if settings.options.get(name)}
    return replace(passport, **given)


def _parsed(name: str, settings: SystemSettings) -> Any:
    text = settings.options[name]
    try:
        if name == "retires_on":
            return date.fromisoformat(text)
        seconds = int(text)
    except ValueError:
        seconds = -1
    if seconds < 0:
        kind = "a date like 2029-06-01" if name == "retires_on" else "a whole number of seconds"
        raise FixConfiguration(f"[systems.{settings.name}] {name} is {text!r}: give {kind}")
    return seconds
