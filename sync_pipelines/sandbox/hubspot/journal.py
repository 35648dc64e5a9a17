"""The Webhooks Journal: what an app has subscribed to, and the entries in which it is told, for three days."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.hubspot.refusal import Refusal, invalid
from sync_pipelines.sandbox.hubspot.schema import Object, Schema
from sync_pipelines.sandbox.hubspot.value import stamp
from sync_pipelines.sandbox.store import Document, Store

ENTRIES, SUBSCRIPTIONS = "_journal", "_subscriptions"
ACTIONS = ("CREATE", "UPDATE", "DELETE", "MERGE", "RESTORE")
LINKED = ("ASSOCIATION_ADDED", "ASSOCIATION_REMOVED")
HISTORY = timedelta(days=3)
EVENTS_MAX = 50


class Journal:
    """What happens in one portal, as far as the app has subscribed to it.

    An entry is a file of events. It is handed out as it is, and so takes no more events once it can be seen.
    """

    def __init__(self, schema: Schema, store: Store, *, clock: VirtualClock) -> None:
        self.schema = schema
        self.store = store
        self.clock = clock

    def note(self, thing: Object, id: str, action: str, properties: Mapping[str, Any] | None = None) -> None:
        """Something happened to a record; `properties` are those that an update changed."""
        for each in self._of(thing, "OBJECT", action):
            told = {name: value for name, value in (properties or {}).items() if name in each["properties"]}
            if told or action != "UPDATE":
                about = {"type": "object", "objectTypeId": thing.id, "objectId": int(id)}
                self._write(action, {**about, "propertyChanges": told})

    def linked(self, source: Object, id: str, target: Object, to: str, action: str) -> None:
        for one, its, other, that in ((source, id, target, to), (target, to, source, id)):
            for each in self._of(one, "ASSOCIATION", action):
                if other.id in each["associatedObjectTypeIds"]:
                    ends = {"fromObjectTypeId": one.id, "fromObjectId": int(its)}
                    ends |= {"toObjectTypeId": other.id, "toObjectId": int(that)}
                    self._write(action, {"type": "association", **ends})

    def entries(self) -> list[Document]:
        """Those of the last three days that can be seen, the oldest first."""
        now = self.clock.now()
        seen = [
            row
            for row in self.store.all(ENTRIES)
            if self._is_seen(row) and now - datetime.fromisoformat(row["at"]) < HISTORY
        ]
        for row in seen:
            if not row["sealed"]:
                self.store.put(ENTRIES, row["id"], {**row, "sealed": True})
        return seen

    def after(self, offset: str) -> list[Document]:
        entries = self.entries()
        offsets = [row["offset"] for row in entries]
        if offset not in offsets:
            raise Refusal("OBJECT_NOT_FOUND", f"There is no journal entry {offset}", status=404)
        return entries[offsets.index(offset) + 1 :]

    def subscriptions(self) -> list[Document]:
        """As the app made them, or before it has changed any: everything of what the portal's file names."""
        if not self.store.meta("subscribed", False):
            self._put(self._first())
        return self.store.all(SUBSCRIPTIONS)

    def subscribe(self, given: Mapping[str, Any]) -> Document:
        kept = self.subscriptions()
        wanted = ["actions", "objectTypeId", "portalId", "subscriptionType"]
        wanted += ["properties"] if given.get("subscriptionType") == "OBJECT" else ["associatedObjectTypeIds"]
        if lacking := [name for name in wanted if name not in given]:
            raise invalid(f"Some required fields were not set: {lacking}")
        same = [each["id"] for each in kept if _subject(each) == _subject(given)]
        row = self._subscription(same[0] if same else max((each["id"] for each in kept), default=0) + 1, given)
        self._put([row])
        return row

    def unsubscribe(self, id: int) -> None:
        if not any(each["id"] == id for each in self.subscriptions()):
            raise Refusal("OBJECT_NOT_FOUND", f"There is no subscription {id}", status=404)
        self.store.delete(SUBSCRIPTIONS, str(id))

    def _of(self, thing: Object, kind: str, action: str) -> list[Document]:
        return [
            each
            for each in self.subscriptions()
            if each["subscriptionType"] == kind and each["objectTypeId"] == thing.id and action in each["actions"]
        ]

    def _write(self, action: str, about: Mapping[str, Any]) -> None:
        """Into the last entry, while that can't be seen and is not full."""
        now, rows = self.clock.now(), self.store.table(ENTRIES).rows
        event = {"action": action, **about, "portalId": self.schema.portal.id, "occurredAt": stamp(now)}
        last = rows[next(reversed(rows))] if rows else None
        if last is None or last["sealed"] or self._is_past(last) or len(last["events"]) >= EVENTS_MAX:
            number = len(rows) + 1
            offset = str(uuid5(NAMESPACE_OID, f"{self.schema.portal.id} {number}"))
            last = {"id": f"{number}", "offset": offset, "at": now.isoformat(), "sealed": False, "events": []}
        self.store.put(ENTRIES, last["id"], {**last, "events": [*last["events"], event]})

    def _is_seen(self, row: Document) -> bool:
        return self.clock.now() - datetime.fromisoformat(row["at"]) >= self._lag

    def _is_past(self, row: Document) -> bool:
        """Whether an entry that is told late could have been seen by now."""
        return bool(self._lag) and self._is_seen(row)

    @property
    def _lag(self) -> timedelta:
        return timedelta(seconds=self.schema.behaviour.journal_lag_seconds)

    def _first(self) -> Iterable[Document]:
        number = 0
        for name in self.schema.portal.subscribed:
            thing = self.schema.objects[name]
            of = {"objectTypeId": thing.id, "portalId": self.schema.portal.id}
            number += 1
            about = {"actions": list(ACTIONS), "properties": sorted(thing.properties), **of}
            yield self._subscription(number, {"subscriptionType": "OBJECT", **about})
            targets = [self.schema.objects[each].id for each in self.schema.associations.get(name, {})]
            number += 1
            about = {"actions": list(LINKED), "associatedObjectTypeIds": targets, **of}
            yield self._subscription(number, {"subscriptionType": "ASSOCIATION", **about})

    def _subscription(self, number: int, given: Mapping[str, Any]) -> Document:
        now = stamp(self.clock.now())
        about = {"appId": 1, "createdBy": 1, "createdAt": now, "updatedAt": now}
        return {**given, "id": number, **about}

    def _put(self, rows: Iterable[Document]) -> None:
        for row in rows:
            self.store.put(SUBSCRIPTIONS, str(row["id"]), row)
        self.store.set_meta("subscribed", True)


def _subject(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """What a subscription is to; an app has one of each."""
    return (row["subscriptionType"], row["objectTypeId"], row["portalId"])
