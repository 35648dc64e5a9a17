"""What the conformance suite needs done in Stripe's stand-in."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import requests

from sync_pipelines import mappings
from sync_pipelines.domains.money import exponent, minor
from sync_pipelines.engine.port import Rate
from sync_pipelines.sandbox.stripe import API_VERSION
from sync_pipelines.sandbox.stripe.refusal import LOCK_TIMEOUT, RATE_LIMITED
from sync_pipelines.systems.stripe import open_system
from sync_pipelines.testing.facts import Amounts, Fault, NotChecked
from sync_pipelines.testing.stand_in import StandIn


class StripeFacts(StandIn):
    """Customers of an account."""

    vendor = "stripe"
    open_system = staticmethod(open_system)
    object = "customers"
    shape: Mapping[str, Any] = {"name": "VARCHAR"}
    beside = mappings.objects("stripe")
    options: Mapping[str, str] = {"api_key": "sk_test_sandbox"}
    data = "/v1/"
    slowest = 80
    latest = 300.0
    longest = 256
    beside_pages = 1
    throttled: Mapping[str, Mapping[str, Any]] = {
        "too many calls": {"kind": "status", "status": 429, "body": RATE_LIMITED},
        "the object is in use": {
            "kind": "status",
            "status": 429,
            "body": LOCK_TIMEOUT,
            "headers": {"Stripe-Should-Retry": "true"},
        },
    }

    def furnish(self) -> None:
        """Search lags behind what it searches."""
        self.sandbox.vendor.admin("settings", {"search_lag": 30.0})

    def body(self, name: str) -> Mapping[str, Any]:
        return {"name": name}

    def refused(self, name: str) -> Mapping[str, Any]:
        return {"name": name, "no_such_parameter": "1"}

    def is_write(self, request: requests.PreparedRequest) -> bool:
        return request.method == "POST"

    def delete(self, record_id: str) -> None:
        self.other._wire.call("DELETE", f"/v1/customers/{record_id}", route="DELETE", safe=False)

    def merge(self, loser: str, survivor: str) -> None:
        raise NotChecked("Stripe merges nothing")

    def put_late(self, name: str) -> tuple[str, float]:
        """The feed of events is what may be late."""
        (record_id,) = self.put(name)
        vendor: Any = self.sandbox.vendor
        shelves = vendor.account.shelves
        event = next(e for e in self.sandbox.store.all("_event") if e["data"]["object"]["id"] == record_id)
        shelves.delete("_event", event["id"])
        self.wire.later(lambda: shelves.put("_event", event["id"], event), seconds=self.latest)
        return record_id, self.latest

    def strike(self, fault: str, *, times: int | None = None, writes: bool = False) -> None:
        if fault == Fault.TOKEN_EXPIRED and times:
            raise NotChecked("a key does not expire by itself, and can't be renewed")
        super().strike(fault, times=times, writes=writes)

    def amounts(self) -> Amounts:
        """Prices in minor units, of which the last digit is 0 where there are three; one product has all the prices."""
        product = {"name": "Priced", "id": "prod_priced"}
        self.sandbox.vendor.admin("seed", {"product": [product]})
        return Amounts(
            object="prices",
            shape={"unit_amount": "BIGINT", "currency": "VARCHAR"},
            body=lambda amount, currency: {
                "product": "prod_priced",
                "currency": currency.lower(),
                "unit_amount": minor(amount, currency),
            },
            told=lambda payload: (
                Decimal(payload["unit_amount"]).scaleb(-exponent(payload["currency"].upper())),
                payload["currency"].upper(),
            ),
            currencies=("EUR", "JPY", "KWD"),
            smallest={0: Decimal(1), 2: Decimal("0.01"), 3: Decimal("0.01")},
        )

    def published(self) -> Mapping[str, Any]:
        return {
            "api_version": API_VERSION,
            "retires_on": None,
            "zone": "UTC",
            "rate": Rate(25, 1, "HTTP 429, rate_limit"),
        }

    def count_held(self, external_id: str) -> int:
        return sum(row["metadata"].get("sync_id") == external_id for row in self.sandbox.store.all("customer"))
