"""One account: its settings, its records, its clock, and the numbers that it gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any

import msgspec

from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.faults import FaultPlan
from sync_pipelines.sandbox.store import Document, Store
from sync_pipelines.sandbox.zendesk.refusal import not_found

ORGANIZATION, TICKET = "organization", "ticket"
ORGANIZATION_FIELD, TICKET_FIELD = "organization_field", "ticket_field"
AGENT_ID = 361_000_001
_FIRST_ID = 900_000_000_000


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What this account is and allows; assumptions are what no page of the vendor states."""

    subdomain: str = "meridian"
    client_id: str = "sandbox-client"
    client_secret: str = "sandbox-secret"
    agent: str = "sync@meridian.example"
    api_token: str = "sandbox-token"
    api_tokens_end: date = date(2027, 4, 30)
    token_seconds: int = 7200
    calls_per_minute: int = 700
    exports_per_minute: int = 10
    held_back_seconds: int = 60
    page_max: int = 100
    export_page_max: int = 1000
    offset_max: int = 10_000
    batch_max: int = 100
    jobs_max: int = 30
    job_seconds: float = 0.0
    """How long a job is queued before it works, an assumption."""
    job_kept_seconds: int = 86_400
    idempotency_seconds: int = 7200
    name_max: int = 255
    """An assumption."""
    exports_deleted_organizations: bool = True
    """Whether a deleted organization comes once more in the export, with `deleted_at`: an assumption."""


class Account:
    """The records of an account. Properties whose names begin with "_" are not shown."""

    def __init__(self, store: Store, *, clock: VirtualClock, faults: FaultPlan, settings: Settings) -> None:
        self.store = store
        self.clock = clock
        self.faults = faults
        self.settings = settings

    def seconds(self) -> int:
        """Now, in whole Unix seconds."""
        return int(self.clock.now().timestamp())

    def new_id(self) -> int:
        number = int(self.store.meta("last_id", _FIRST_ID)) + 1
        self.store.set_meta("last_id", number)
        return number

    def url(self, path: str) -> str:
        """The address that a record names as its own."""
        return f"https://{self.settings.subdomain}.zendesk.com/api/v2/{path}.json"

    def add(self, kind: str, values: Mapping[str, Any]) -> Document:
        """A new record with an id, an address and its times."""
        number, now = self.new_id(), self.seconds()
        document = {"id": number, "url": self.url(f"{kind}s/{number}"), **values, "created_at": stamp(now)}
        return self.keep(kind, document)

    def keep(self, kind: str, document: Document) -> Document:
        """Store a record as changed now."""
        now = self.seconds()
        changed = {**document, "updated_at": stamp(now), "_generated": now}
        self.store.put(kind, str(document["id"]), changed)
        return changed

    def live(self, kind: str) -> Iterator[Document]:
        return (each for each in self.store.all(kind) if not each.get("_deleted"))

    def find(self, kind: str, number: object) -> Document | None:
        """A record that is there and not deleted."""
        document = self.store.get(kind, str(number))
        return None if document is None or document.get("_deleted") else document

    def fetch(self, kind: str, number: object) -> Document:
        document = self.find(kind, number)
        if document is None:
            raise not_found()
        return document


def stamp(seconds: int) -> str:
    """A Unix second as Zendesk writes it.

    >>> stamp(1793606400)
    '2026-11-02T08:00:00Z'
    """
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds_of(text: str) -> int:
    """The Unix second of a stamp."""
    return int(datetime.fromisoformat(text).timestamp())


def shown(document: Document) -> dict[str, Any]:
    """A record as an answer shows it."""
    return {name: value for name, value in document.items() if name[0] != "_"}
