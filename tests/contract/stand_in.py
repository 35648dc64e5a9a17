"""A vendor's stand-in behind its adapter, on which somebody else works too: the hooks of a passport's probes."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import requests

from sync_pipelines.engine.port import Operation, Request
from sync_pipelines.engine.topology import SystemSettings
from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.launch import open_sandbox
from sync_pipelines.sandbox.transport import InProcess
from sync_pipelines.sandbox.tryton import seed as seed_erp
from sync_pipelines.systems.salesforce import open_system as open_salesforce
from sync_pipelines.systems.stripe import open_system as open_stripe
from sync_pipelines.systems.tryton import open_system as open_tryton
from sync_pipelines.testing.transport import Late

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
OPEN: Mapping[str, Callable[..., Any]] = {
    "salesforce": open_salesforce,
    "stripe": open_stripe,
    "tryton": open_tryton,
}


@dataclass(frozen=True)
class Kind:
    """What is special to one vendor's stand-in, in one of its objects."""

    vendor: str
    object: str
    shape: Mapping[str, Any]
    options: Mapping[str, str]
    table: str
    external_id: Callable[[Mapping[str, Any]], str | None]
    creates: Callable[[requests.PreparedRequest], bool]
    slowest: float
    """Seconds after which the vendor may still carry out a call that was given up."""
    latest: float | None = None
    """Seconds after which a change may become visible; None where the stand-in shows all at once."""
    path: str = ""


SALESFORCE = Kind(
    vendor="salesforce",
    object="Account",
    shape={"Name": "VARCHAR", "MasterRecordId": "VARCHAR"},
    options={"client_id": "sandbox-client", "client_secret": "sandbox-secret"},
    table="Account",
    external_id=lambda row: None if row["IsDeleted"] else row["Sync_Id__c"],
    creates=lambda request: request.method == "PATCH",
    slowest=590,
    latest=900,
)
STRIPE = Kind(
    vendor="stripe",
    object="customers",
    shape={"name": "VARCHAR"},
    options={"api_key": "sk_test_sandbox"},
    table="customer",
    external_id=lambda row: row["metadata"].get("sync_id"),
    creates=lambda request: request.method == "POST",
    slowest=80,
)
TRYTON = Kind(
    vendor="tryton",
    object="party.party",
    shape={"name": "VARCHAR"},
    options={"user": "admin", "password": "admin-sandbox"},
    table="party.party",
    external_id=lambda row: row["code"],
    creates=lambda request: b'"model.party.party.create"' in (request.body or b""),
    slowest=50,
    latest=300,
    path="/erp",
)


class StandIn:
    """A fresh stand-in behind its adapter; somebody else works on it through an adapter of their own."""

    def __init__(self, kind: Kind, claims: Mapping[str, Any]) -> None:
        self.kind = kind
        self.clock = VirtualClock(NOW)
        self.object, self.shape = kind.object, kind.shape
        self.sandbox = open_sandbox(kind.vendor, clock=self.clock)
        if kind.vendor == "tryton":
            seed_erp(self.sandbox.store, {"parties": [], "products": []}, at=NOW)
        self.wire = Late(InProcess(self.sandbox), clock=self.clock)
        self.system = self.open(self.wire)
        self.system.passport = replace(self.system.passport, **claims)
        self.other = self.open(InProcess(self.sandbox))

    def open(self, wire: Any) -> Any:
        session, url = requests.Session(), f"http://{self.kind.vendor}.test"
        session.mount(url, wire)
        settings = SystemSettings(
            self.kind.vendor,
            self.kind.vendor,
            url + self.kind.path,
            calls_per_second=100_000,
            concurrency=1,
            options=dict(self.kind.options),
        )
        return OPEN[self.kind.vendor](settings, clock=self.clock, session=session, rng=random.Random(1))

    def body(self, name: str) -> Mapping[str, Any]:
        return {
            "salesforce": {"Name": name},
            "stripe": {"name": name},
            "tryton": {"name": name, "code": f"probe-{name}"},
        }[self.kind.vendor]

    def refused(self, name: str) -> Mapping[str, Any]:
        return {
            "salesforce": {"Name": "x" * 300},
            "stripe": {"name": name, "no_such_parameter": "1"},
            "tryton": {"name": name, "code": "probe-good"},
        }[self.kind.vendor]

    def put(self, *names: str) -> list[str]:
        most = self.other.passport.batch_max
        made = []
        for start in range(0, len(names), most):
            part = names[start : start + most]
            requests = [self._request(f"put-{name}", None, self.body(name)) for name in part]
            made += [outcome.record_id for outcome in self.other.write(requests)]
        return made

    def change(self, record_id: str, name: str) -> None:
        field = "Name" if self.kind.vendor == "salesforce" else "name"
        self.other.write([self._request(f"change-{name}", record_id, {field: name})])

    def delete(self, record_id: str) -> None:
        vendor: Any = self.sandbox.vendor
        match self.kind.vendor:
            case "salesforce":
                vendor.api.bin.delete(vendor.org.lookup.object("Account"), record_id)
            case "stripe":
                self.other._wire.call("DELETE", f"/v1/customers/{record_id}", route="DELETE", safe=False)
            case "tryton":
                self.other._server.tell("party.party", "delete", [int(record_id)])

    def merge(self, loser: str, survivor: str) -> None:
        if self.kind.vendor != "salesforce":
            raise NotImplementedError
        self.sandbox.vendor.admin("merge", {"winner": survivor, "losers": [loser]})

    def put_late(self, name: str) -> tuple[str, float]:
        seconds = self.kind.latest
        if seconds is None:
            raise NotImplementedError
        several = self.kind.vendor == "tryton"
        values: Any = [self.body(name)] if several else self.body(name)
        given = {"object": self.object, "values": values, "seconds": seconds}
        made = self.sandbox.vendor.admin("save_late", given)
        return str(made["ids"][0] if several else made["id"]), seconds

    def lose(self) -> None:
        self.wire.hold(self.kind.creates, seconds=self.kind.slowest)

    def held(self, external_id: str) -> int:
        return sum(self.kind.external_id(row) == external_id for row in self.sandbox.store.all(self.kind.table))

    def _request(self, name: str, record_id: str | None, body: Mapping[str, Any]) -> Request:
        operation = Operation.UPDATE if record_id else Operation.CREATE
        return Request(name, self.object, operation, record_id, f"put-{name}", body, idempotency_key=f"other-{name}")
