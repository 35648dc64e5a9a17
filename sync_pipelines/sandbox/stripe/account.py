"""The account behind the API: its settings, its objects in order, and the changes that become events."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.letters import letters
from sync_pipelines.sandbox.store import Document, Store
from sync_pipelines.sandbox.stripe.event import changes
from sync_pipelines.sandbox.stripe.identifier import identifier
from sync_pipelines.sandbox.stripe.refusal import missing
from sync_pipelines.sandbox.stripe.shape import complete
from sync_pipelines.sandbox.stripe.shelf import Key, Shelves
from sync_pipelines.sandbox.stripe.view import shown

API_VERSION = "2026-06-24.dahlia"
_GONE = "_deleted"
_HISTORY_SECONDS = 7200


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an administrator can set; kept in the store."""

    account: str = "acct_1SandboxMeridian00"
    name: str = "Meridian Software Inc"
    country: str = "US"
    currency: str = "usd"
    keys: tuple[str, ...] = ("sk_test_sandbox",)
    expired_keys: tuple[str, ...] = ()
    versions: tuple[str, ...] = (API_VERSION,)
    seed: int = 0
    search_lag: float = 0.0
    """Seconds until a change can be found by search."""
    calls_per_second: int = 0
    """Requests in one second before the limiter answers 429; 0 is no limit."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The request that causes changes, as events name it."""

    request_id: str | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class _Past:
    at: float
    kind: str
    id: str
    before: Document | None


class Account:
    """Objects of one Stripe account. What changes through `add`, `change` and `remove` becomes an event."""

    def __init__(self, store: Store, *, clock: VirtualClock) -> None:
        self.store = store
        self.clock = clock
        self.shelves = Shelves(store)
        self.origin = Origin()
        self._past: deque[_Past] = deque()

    @property
    def settings(self) -> Settings:
        return msgspec.convert(self.store.meta("settings", {}), Settings)

    def set_up(self, **changed: Any) -> Settings:
        """Change settings; unknown names and wrong types raise `msgspec.ValidationError`."""
        together = {**msgspec.to_builtins(self.settings), **changed}
        settings = msgspec.convert(together, Settings)
        self.store.set_meta("settings", msgspec.to_builtins(settings))
        return settings

    def now(self) -> int:
        return int(self.clock.now().timestamp())

    def new_id(self, kind: str) -> str:
        number = self.store.meta(f"count:{kind}", 0) + 1
        self.store.set_meta(f"count:{kind}", number)
        return identifier(kind, self.settings.seed, number)

    def invoice_prefix(self, customer: str) -> str:
        """Eight capitals or digits, as a customer's invoices begin with."""
        return letters(8, "prefix", self.settings.seed, customer).upper()

    def find(self, kind: str, id: str) -> Document | None:
        return self.store.get(kind, id)

    def fetch(self, kind: str, id: str, param: str | None = None) -> Document:
        """The object, or the refusal that Stripe gives where the path or parameter names none."""
        document = self.store.get(kind, id)
        if document is None:
            raise missing(kind, id, param=param)
        return document

    def stub(self, kind: str, id: str) -> Document | None:
        """What is left of a deleted object that stays visible."""
        gone = self.store.get(_GONE, id)
        return gone["stub"] if gone and gone["stub"] and gone["stub"]["object"] == kind else None

    def key(self, kind: str, id: str) -> Key | None:
        """The object's place in the order, also when it has been deleted and left a stub."""
        if self.store.get(kind, id) is not None:
            return self.shelves.of(kind).key(id)
        gone = self.store.get(_GONE, id)
        return (gone["created"], gone["seq"], id) if gone and self.stub(kind, id) else None

    def add(self, kind: str, fields: Mapping[str, Any], *, event: str | None = None) -> Document:
        """A new object; an id and the time of creation are given where the fields don't."""
        document = complete(kind, fields)
        document["id"] = document["id"] or self.new_id(kind)
        document["created"] = fields.get("created") or self.now()
        self._remember(kind, document["id"], None)
        self.shelves.put(kind, document["id"], document)
        if event:
            self.emit(event, document)
        return document

    def change(self, document: Document, fields: Mapping[str, Any], *, event: str | None = None) -> Document:
        """The object with these fields replaced; an event only where something is different."""
        after = {**document, **fields}
        if after == document:
            return document
        if after["object"] == "product":
            after["updated"] = self.now()
        self._remember(after["object"], after["id"], document)
        self.shelves.put(after["object"], after["id"], after)
        if event and event.endswith(".updated"):
            self.emit(event, after, previous=changes(shown(self, document), shown(self, after)))
        elif event:
            self.emit(event, after)
        return after

    def remove(self, document: Document, *, event: str | None = None, leaves_stub: bool = False) -> dict[str, Any]:
        """Delete an object; returns what the API answers."""
        kind, gone = document["object"], document["id"]
        stub = {"id": gone, "object": kind, "deleted": True}
        self._remember(kind, gone, document)
        created, seq, _ = self.shelves.delete(kind, gone)
        if leaves_stub:
            self.store.put(_GONE, gone, {"stub": stub, "created": created, "seq": seq})
        if event:
            self.emit(event, document)
        return stub

    def emit(self, type: str, document: Document, *, previous: Mapping[str, Any] | None = None) -> None:
        """Record an event with the object as it is now."""
        content: dict[str, Any] = {"object": shown(self, document)}
        if previous is not None:
            content["previous_attributes"] = previous
        listeners = [endpoint["id"] for endpoint in self.store.all("webhook_endpoint") if _hears(endpoint, type)]
        event = complete(
            "event",
            {
                "id": self.new_id("event"),
                "api_version": API_VERSION,
                "created": self.now(),
                "data": content,
                "pending_webhooks": len(listeners),
                "request": {"id": self.origin.request_id, "idempotency_key": self.origin.idempotency_key},
                "type": type,
            },
        )
        self.shelves.put("_event", event["id"], event)
        if listeners:
            self.store.put("_delivery", event["id"], {"event": event["id"], "endpoints": listeners})

    def searchable(self, kind: str) -> dict[str, Document | None]:
        """Objects that search sees otherwise than they are now: by id, None where it doesn't see them."""
        lag = self.settings.search_lag
        seen: dict[str, Document | None] = {}
        if lag:
            since = self.clock.now().timestamp() - lag
            for past in self._past:
                if past.kind == kind and past.at > since:
                    seen.setdefault(past.id, past.before)
        return seen

    def _remember(self, kind: str, id: str, before: Document | None) -> None:
        at = self.clock.now().timestamp()
        self._past.append(_Past(at, kind, id, before))
        while self._past[0].at < at - _HISTORY_SECONDS:
            self._past.popleft()


def _hears(endpoint: Document, type: str) -> bool:
    wanted = endpoint["enabled_events"]
    return endpoint["status"] == "enabled" and ("*" in wanted or type in wanted)
