"""What the conformance suite needs done in Chargebee's stand-in."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import requests

from sync_pipelines import mappings
from sync_pipelines.domains.money import major, minor
from sync_pipelines.engine.port import Rate
from sync_pipelines.sandbox.chargebee.refusal import LIMITED, READ_ONLY
from sync_pipelines.systems.chargebee import open_system
from sync_pipelines.testing.facts import Amounts, Fault, NotChecked
from sync_pipelines.testing.stand_in import StandIn


class ChargebeeFacts(StandIn):
    """Customers of a site."""

    vendor = "chargebee"
    open_system = staticmethod(open_system)
    object = "customers"
    shape: Mapping[str, Any] = {"company": "VARCHAR"}
    beside = mappings.objects("chargebee")
    options: Mapping[str, str] = {"api_key": "test_sandbox"}
    data = "/api/v2/"
    slowest = 80
    beside_pages = 1
    throttled: Mapping[str, Mapping[str, Any]] = {
        "too many calls": {
            "kind": "status",
            "status": 429,
            "body": LIMITED.body(),
            "headers": {"Retry-After": "41"},
        },
        "the site is read only": {"kind": "status", "status": 503, "body": READ_ONLY.body()},
    }

    def furnish(self) -> None:
        self.sandbox.vendor.admin(
            "seed",
            {
                "item_family": [{"id": "core", "name": "Core", "status": "active", "updated_at": 1}],
                "item": [
                    {
                        "id": "seat",
                        "name": "Seat",
                        "type": "plan",
                        "item_family_id": "core",
                        "status": "active",
                        "updated_at": 1,
                    }
                ],
            },
        )

    def body(self, name: str) -> Mapping[str, Any]:
        return {"company": name}

    def refused(self, name: str) -> Mapping[str, Any]:
        return {"company": name, "no_such_parameter": "1"}

    def is_write(self, request: requests.PreparedRequest) -> bool:
        return request.method == "POST"

    def delete(self, record_id: str) -> None:
        path = f"/api/v2/customers/{record_id}/delete"
        self.other._wire.call("POST", path, route="POST /customers/{id}/delete", safe=False)

    def merge(self, loser: str, survivor: str) -> None:
        raise NotChecked("what a merge leaves of the loser is not known")

    def put_late(self, name: str) -> tuple[str, float]:
        given = {"kind": "customer", "fields": {"id": name, "company": name}, "seconds": 600}
        return self.sandbox.vendor.admin("save_late", given)["id"], 600

    def strike(self, fault: str, *, times: int | None = None, writes: bool = False) -> None:
        if fault == Fault.TOKEN_EXPIRED and times:
            raise NotChecked("a key does not expire by itself, and can't be renewed")
        super().strike(fault, times=times, writes=writes)

    def count_held(self, external_id: str) -> int:
        return sum(row["id"] == external_id for row in self.sandbox.store.all("customer"))

    def text_max(self) -> int:
        return 250

    def amounts(self) -> Amounts:
        def body(amount: Decimal, currency: str) -> Mapping[str, Any]:
            period = 1 + self.sandbox.store.count("item_price")  # an item has one price a currency and period
            return {
                "name": f"Seat for {period} months in {currency}",
                "item_id": "seat",
                "currency_code": currency,
                "price": minor(amount, currency),
                "period": period,
                "period_unit": "month",
            }

        return Amounts(
            object="item_prices",
            shape={"price": "BIGINT", "currency_code": "VARCHAR"},
            body=body,
            told=lambda payload: (major(payload["price"], payload["currency_code"]), payload["currency_code"]),
            currencies=("JPY", "USD", "KWD"),
        )

    def published(self) -> Mapping[str, Any]:
        rate = Rate(150, 60, "HTTP 429, api_request_limit_exceeded")
        return {"api_version": "v2", "retires_on": None, "zone": "UTC", "rate": rate}
