"""What the conformance suite needs done in Tryton's stand-in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import requests

from sync_pipelines import mappings
from sync_pipelines.sandbox.tryton import seed
from sync_pipelines.sandbox.tryton.vendor import SERIES
from sync_pipelines.systems.tryton import open_system
from sync_pipelines.testing.facts import Amounts, Fault, NotChecked
from sync_pipelines.testing.stand_in import NOW, StandIn


class TrytonFacts(StandIn):
    """Parties of a database."""

    vendor = "tryton"
    open_system = staticmethod(open_system)
    object = "party.party"
    shape: Mapping[str, Any] = {"name": "VARCHAR"}
    beside = mappings.objects("tryton")
    options: Mapping[str, str] = {"user": "admin", "password": "admin-sandbox"}
    path = "/erp"
    data = "/erp/rpc/"
    slowest = 50
    latest = 300
    throttled: Mapping[str, Mapping[str, Any]] = {
        "the database is busy": {
            "kind": "status",
            "status": 200,
            "body": {"id": 1, "error": ["could not serialize access due to concurrent update", ""]},
        },
        "a proxy asks for patience": {"kind": "status", "status": 429, "headers": {"Retry-After": "2"}, "body": ""},
        "the server starts anew": {"kind": "status", "status": 503, "body": ""},
    }

    def furnish(self) -> None:
        seed(self.sandbox.store, {"parties": [], "products": []}, at=NOW)

    def body(self, name: str) -> Mapping[str, Any]:
        return {"name": name, "code": f"probe-{name}"}

    def renamed(self, name: str) -> Mapping[str, Any]:
        return {"name": name}

    def refused(self, name: str) -> Mapping[str, Any]:
        return {**self.body(name), "addresses": [["create", [{"country": 999_999}]]]}

    def is_write(self, request: requests.PreparedRequest) -> bool:
        return b'"model.party.party.create"' in (request.body or b"")

    def delete(self, record_id: str) -> None:
        self.other._server.tell("party.party", "delete", [int(record_id)])

    def merge(self, loser: str, survivor: str) -> None:
        raise NotChecked("the stand-in merges no parties")

    def put_late(self, name: str) -> tuple[str, float]:
        given = {"object": self.object, "values": [self.body(name)], "seconds": self.latest}
        return str(self.sandbox.vendor.admin("save_late", given)["ids"][0]), self.latest

    def strike(self, fault: str, *, times: int | None = None, writes: bool = False) -> None:
        if fault == Fault.VERSION_RETIRED:
            raise NotChecked("a server speaks one version, and refuses none")
        super().strike(fault, times=times, writes=writes)

    def text_max(self) -> int:
        raise NotChecked("a name may have any length")

    def amounts(self) -> Amounts:
        """Prices of products; a price has no currency but the company's."""
        return Amounts(
            object="product.template",
            shape={"list_price": {"decimal": "DECIMAL(18,4)"}},
            body=lambda amount, currency: {"name": "Priced", "default_uom": self._unit(), "list_price": amount},
            told=lambda payload: (Decimal(payload["list_price"]["decimal"]), "USD"),
            currencies=("USD",),
        )

    def _unit(self) -> int:
        return next(int(row["id"]) for row in self.sandbox.store.all("product.uom") if row["symbol"] == "u")

    def published(self) -> Mapping[str, Any]:
        """A server of the stand-in's series, which is supported for five years from its release."""
        return {"api_version": SERIES, "retires_on": date(2031, 4, 30), "zone": "UTC", "rate": None}

    def count_held(self, external_id: str) -> int:
        return sum(row["code"] == external_id for row in self.sandbox.store.all("party.party"))
