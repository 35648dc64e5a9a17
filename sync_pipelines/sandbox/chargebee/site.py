"""The site behind the API: its settings, its resources, and the events that their changes become."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from sync_pipelines.sandbox.chargebee.refusal import duplicate, missing, wrong
from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.letters import letters
from sync_pipelines.sandbox.store import Document, Store

HIDES_DELETED = ("customer", "subscription", "invoice", "credit_note")
"""Resources whose lists show a deleted one only when asked to; the others show its status."""
_DAY = 86_400
Key = tuple[int | str, int]
"""The value sorted by, and the order of arrival: unique, so that an offset stays true while others write."""


class Lengths(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The most characters of a text."""

    id: int = 50
    item_price_id: int = 100
    name: int = 150
    email: int = 70
    phone: int = 50
    company: int = 250
    item_name: int = 100
    vat_number: int = 20
    address_line: int = 150
    city: int = 50
    zip: int = 20
    description: int = 2000
    po_number: int = 100


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an administrator can set, and what is known of Chargebee from memory alone; kept in the store."""

    domain: str = "meridian-test"
    keys: tuple[str, ...] = ("test_sandbox",)
    read_only_keys: tuple[str, ...] = ()
    currencies: tuple[str, ...] = ("USD", "EUR", "JPY", "GBP", "KWD")
    tax_pct: dict[str, int] = {}
    """The tax on an invoice in percent, by the customer's country."""
    calls_per_minute: int = 0
    """Requests in a minute before the limiter answers 429; 0 is no limit."""
    is_read_only: bool = False
    page_default: int = 10
    page_max: int = 100
    lines_embedded: int = 300
    """Line items that a document carries; the others have to be asked for."""
    idempotency_seconds: int = _DAY
    event_days: int = 90
    lengths: Lengths = Lengths()


class Site:
    """Resources of one site. An attribute without a value is absent; a change becomes an event."""

    def __init__(self, store: Store, *, clock: VirtualClock) -> None:
        self.store = store
        self.clock = clock
        self._orders: dict[tuple[str, str], tuple[int, list[Key], list[str]]] = {}

    @property
    def settings(self) -> Settings:
        return msgspec.convert(self.store.meta("settings", {}), Settings)

    def set_up(self, **changed: Any) -> Settings:
        """Change settings; unknown names and wrong types raise `msgspec.ValidationError`."""
        settings = msgspec.convert({**msgspec.to_builtins(self.settings), **changed}, Settings)
        self.store.set_meta("settings", msgspec.to_builtins(settings))
        return settings

    def now(self) -> int:
        return int(self.clock.now().timestamp())

    def new_id(self, kind: str) -> str:
        return letters(16, kind, self._next(kind))

    def number(self, kind: str, first: int) -> int:
        """The next of a sequence without gaps."""
        return first + self._next(f"number:{kind}") - 1

    def fetch(self, kind: str, id: str, param: str = "") -> Document:
        """The resource, or the refusal where the path, or the parameter, names none."""
        document = self.store.get(kind, id)
        if document is None:
            raise wrong(param, f"{id} not found") if param else missing(id)
        return document

    def live(self, kind: str, id: str, param: str = "") -> Document:
        """The resource, if it isn't deleted."""
        document = self.fetch(kind, id, param)
        if is_deleted(document):
            raise wrong(param, f"{id} not found") if param else missing(id)
        return document

    def add(self, kind: str, fields: Mapping[str, Any], *, event: str) -> Document:
        """A new resource; an id that was ever used can't be used again."""
        chosen = fields.get("id") or self.new_id(kind)
        if self.store.get(kind, chosen) is not None:
            raise duplicate("id", chosen)
        document = {**fields, "id": chosen, **self._stamp(), "object": kind}
        return self._put(kind, document, event)

    def change(self, document: Document, fields: Mapping[str, Any], *, event: str) -> Document:
        """The resource with these attributes replaced; what stays the same is no change."""
        if all(document.get(name) == value for name, value in fields.items()):
            return document
        return self._put(document["object"], {**document, **fields, **self._stamp()}, event)

    def remove(self, document: Document, *, event: str) -> Document:
        """Delete a resource; what is left of it says so."""
        kind = document["object"]
        mark = {"deleted": True} if kind in HIDES_DELETED else {"status": "deleted", "deleted": True}
        return self.change(document, mark, event=event)

    def add_late(self, kind: str, fields: Mapping[str, Any], seconds: float) -> Document:
        """A resource that carries the time of now and can be seen only so much later, as after a long transaction."""
        document = {**fields, **self._stamp(), "object": kind, "deleted": False}
        self.store.put("_late", document["id"], {"due": self.clock.now().timestamp() + seconds, "document": document})
        return document

    def arrive(self) -> None:
        """What was late and is due can be seen from now on, and so can its event."""
        for late in self.store.all("_late"):
            if late["due"] <= self.clock.now().timestamp():
                document = late["document"]
                self.store.delete("_late", document["id"])
                self.store.put(document["object"], document["id"], document)
                self.emit(f"{document['object']}_created", document, at=document["updated_at"])

    def emit(self, type: str, document: Document, *, at: int | None = None) -> None:
        event_id = f"ev_{self.new_id('event')}"
        self.store.put(
            "_event",
            event_id,
            {
                "id": event_id,
                "occurred_at": self.now() if at is None else at,
                "source": "api",
                "object": "event",
                "api_version": "v2",
                "content": {document["object"]: document},
                "event_type": type,
                "webhook_status": "not_configured",
            },
        )

    def ordered(self, table: str, attribute: str) -> tuple[list[Key], list[str]]:
        """Keys and ids in the order of an attribute; made again where the table has changed."""
        held, kept = self.store.table(table), self._orders.get((table, attribute))
        if kept is None or kept[0] != held.version:
            pairs = sorted(((row.get(attribute, 0), held.seq[row_id]), row_id) for row_id, row in held.rows.items())
            kept = held.version, [key for key, _ in pairs], [row_id for _, row_id in pairs]
            self._orders[table, attribute] = kept
        return kept[1], kept[2]

    def _put(self, kind: str, fields: Mapping[str, Any], event: str) -> Document:
        document = {name: value for name, value in fields.items() if value is not None}
        self.store.put(kind, document["id"], document)
        if event:
            self.emit(event, document)
        return document

    def _stamp(self) -> dict[str, int]:
        """The time of a change, and a version that is its milliseconds and grows with every one."""
        version = max(int(self.clock.now().timestamp() * 1000), self.store.meta("version", 0) + 1)
        self.store.set_meta("version", version)
        return {"updated_at": self.now(), "resource_version": version}

    def _next(self, counter: str) -> int:
        number = int(self.store.meta(f"count:{counter}", 0)) + 1
        self.store.set_meta(f"count:{counter}", number)
        return number


def is_deleted(document: Document) -> bool:
    return bool(document.get("deleted")) or document.get("status") == "deleted"
