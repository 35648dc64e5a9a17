"""One tenant: its settings, its objects and their fields, its records, and the ids that it gives."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from importlib.resources import files
from typing import Any

import msgspec

from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.gainsight.refusal import Refusal
from sync_pipelines.sandbox.store import Document, Store

COMPANY, CALL_TO_ACTION, SUCCESS_PLAN, DELETE_LOG = "Company", "call_to_action", "success_plan", "record_delete_log"
_DAY_MS = 86_400_000


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What this tenant is and allows; assumptions are what no page of the vendor states."""

    access_key: str = "sandbox-key"
    client_id: str = "sandbox-client"
    client_secret: str = "sandbox-secret"
    token_seconds: int = 86_400
    calls_per_minute: int = 100
    calls_per_day: int = 50_000
    plan_calls_per_minute: int = 5000
    page_max: int = 5000
    list_max: int = 1000
    batch_max: int = 50
    keys_max: int = 3
    deletes_kept_days: int = 15
    unauthorized_status: int = 401
    """401 or 403, an assumption."""
    address_refused: bool = False
    """Whether the tenant's list of addresses leaves the caller out."""
    rows_in: str = "records"
    """How a query answers: with an object that has `records`, or with a `list`."""
    nothing: str = "records"
    """How a query answers that finds nothing: with no `records`, with `result` false, or with a `refusal`."""
    filter_zone: str = "UTC"
    """The zone of the times in a query's conditions, an assumption."""
    late_seconds: float = 0.0
    """How long a new record stays unseen, an assumption."""


class Field(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    type: str
    length: int | None = None
    readonly: bool = False
    required: bool = False


class Object(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    prefix: str
    """The letters with which its ids begin."""
    fields: dict[str, Field]
    writable: bool = False

    def field(self, name: str) -> Field | None:
        """By its name, whatever the case of its letters."""
        return next((each for each in self.fields.values() if each.name.lower() == name.lower()), None)


def load_objects() -> dict[str, Object]:
    """The objects of `tenant.toml`, by their names in small letters."""
    declared = tomllib.loads(files(__package__).joinpath("tenant.toml").read_text())
    objects = {}
    for name, thing in declared["objects"].items():
        shared = {} if name == DELETE_LOG else declared["shared"]
        fields = {key: {"name": key, **each} for key, each in {**shared, **thing["fields"]}.items()}
        objects[name.lower()] = msgspec.convert({**thing, "name": name, "fields": fields}, Object)
    return objects


class Tenant:
    """The records of a tenant, and what it knows of their fields. Times are milliseconds since 1970."""

    def __init__(self, store: Store, *, clock: VirtualClock, settings: Settings) -> None:
        self.store = store
        self.clock = clock
        self.settings = settings
        self.objects = load_objects()

    def now(self) -> int:
        return milliseconds(self.clock.now())

    def object(self, name: str) -> Object:
        thing = self.objects.get(name.lower())
        if thing is None:
            raise Refusal("GSOBJ_1023", f"Invalid path: there is no object {name}")
        return thing

    def seen(self, thing: Object) -> list[Document]:
        """The records that a read sees now."""
        now = self.now()
        if thing.name == DELETE_LOG:
            since = now - self.settings.deletes_kept_days * _DAY_MS
            return [each for each in self.store.all(thing.name) if each["DeletedOn"] >= since]
        return [each for each in self.store.all(thing.name) if each.get("_seen_at", 0) <= now]

    def add(self, thing: Object, values: Mapping[str, Any]) -> Document:
        now = self.now()
        late = int(self.settings.late_seconds * 1000)
        unseen = {"_seen_at": now + late} if late else {}
        row = {"Gsid": self._gsid(thing), "CreatedDate": now, "ModifiedDate": now, **values, **unseen}
        self.store.put(thing.name, row["Gsid"], row)
        return row

    def change(self, thing: Object, row: Document, values: Mapping[str, Any]) -> Document:
        changed = {**row, **values, "ModifiedDate": self.now()}
        self.store.put(thing.name, row["Gsid"], changed)
        return changed

    def remove(self, thing: Object, gsid: str) -> None:
        """The record is gone, and the log tells so for some days."""
        if not self.store.delete(thing.name, gsid):
            raise Refusal("GSOBJ_1011", "No matching record found")
        second = self.now() // 1000 * 1000
        entry = {"RecordId": gsid, "ObjectName": thing.name, "DeletedOn": second}
        self.store.put(DELETE_LOG, f"{gsid} {second}", entry)

    def _gsid(self, thing: Object) -> str:
        """The next id that no record has: those of a furnished tenant are made the same way."""
        number = int(self.store.meta("last_id", 0)) + 1
        while self.store.get(thing.name, gsid(thing.prefix, number)):
            number += 1
        self.store.set_meta("last_id", number)
        return gsid(thing.prefix, number)


def gsid(prefix: str, number: int) -> str:
    """An id of 36 letters and digits, as Gainsight's are: no order can be seen in them.

    >>> gsid("1P02", 7)
    '1P02A5CD5C36865D92EC5EC428E53A77B159'
    """
    return prefix + sha256(f"{prefix} {number}".encode()).hexdigest()[:32].upper()


def milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
