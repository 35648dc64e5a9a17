"""What the conformance suite needs done in HubSpot's stand-in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import requests

from sync_pipelines import mappings
from sync_pipelines.engine.port import Rate
from sync_pipelines.systems.hubspot import open_system
from sync_pipelines.testing.facts import Amounts, Fault
from sync_pipelines.testing.stand_in import StandIn

TEN_SECONDS = Rate(190, 10, "HTTP 429, RATE_LIMITS")
"""The calls of a Professional account."""


def _throttled(policy: str) -> Mapping[str, Any]:
    body = {
        "status": "error",
        "category": "RATE_LIMITS",
        "policyName": policy,
        "message": "You have reached your limit.",
    }
    return {"kind": "status", "status": 429, "body": body}


class HubSpotFacts(StandIn):
    """Companies of a portal."""

    vendor = "hubspot"
    open_system = staticmethod(open_system)
    object = "companies"
    shape: Mapping[str, Any] = {"name": "VARCHAR", "industry": "VARCHAR"}
    beside = mappings.objects("hubspot")
    options: Mapping[str, str] = {
        "client_id": "sandbox-client",
        "client_secret": "sandbox-secret",
        "refresh_token": "na1-sandbox-refresh",
    }
    data = "/crm/"
    slowest = 290
    longest = 65_536
    latest = 550
    beside_pages = 1
    spoilt: Mapping[str, Mapping[str, Any]] = {
        Fault.VERSION_RETIRED: {
            "kind": "status",
            "status": 404,
            "body": {"status": "error", "message": "resource not found"},
        },
    }
    throttled: Mapping[str, Mapping[str, Any]] = {
        "ten seconds": _throttled("TEN_SECONDLY_ROLLING"),
        "a second": _throttled("SECONDLY"),
        "the day's calls are used up": _throttled("DAILY"),
        "a record is locked": {"kind": "status", "status": 423, "body": {"category": "LOCKED"}},
        "the account moves": {"kind": "status", "status": 477, "headers": {"Retry-After": "3600"}, "body": {}},
        "the server is busy": {"kind": "status", "status": 429, "headers": {"Retry-After": "7"}, "body": {}},
    }

    def furnish(self) -> None:
        self.sandbox.vendor.admin("index_lag", {"seconds": 0})

    def body(self, name: str) -> Mapping[str, Any]:
        return {"name": name}

    def refused(self, name: str) -> Mapping[str, Any]:
        return {"name": name, "industry": f"{name} is none"}

    def is_write(self, request: requests.PreparedRequest) -> bool:
        return request.path_url.endswith("/batch/upsert")

    def delete(self, record_id: str) -> None:
        crm: Any = self.sandbox.vendor.crm
        crm.archive(crm.schema.objects["companies"], record_id)

    def merge(self, loser: str, survivor: str) -> None:
        self.sandbox.vendor.admin("merge", {"object": "companies", "primary": survivor, "other": loser})

    def put_late(self, name: str) -> tuple[str, float]:
        self.sandbox.vendor.admin("index_lag", {"seconds": self.latest})
        (record_id,) = HubSpotFacts.put(self, name)
        self.furnish()
        return record_id, self.latest

    def amounts(self) -> Amounts:
        """Numbers travel as texts, so that every digit is kept."""
        return Amounts(
            object="deals",
            shape={"amount": "DECIMAL(18,4)", "deal_currency_code": "VARCHAR"},
            body=lambda amount, currency: {"dealname": "A", "amount": f"{amount:f}", "deal_currency_code": currency},
            told=lambda payload: (Decimal(payload["amount"]), payload["deal_currency_code"]),
            currencies=("EUR", "JPY", "KWD"),
        )

    def published(self) -> Mapping[str, Any]:
        """The version is the one in the path of the last call; the rest is the vendor's own documents'."""
        spoken = self.sandbox.requests[-1].path.split("/")[2]
        return {"api_version": spoken, "retires_on": date(2028, 3, 8), "zone": "UTC", "rate": TEN_SECONDS}

    def count_held(self, external_id: str) -> int:
        rows = self.sandbox.store.all("companies")
        return sum(not row["archived"] and row["properties"].get("sync_id") == external_id for row in rows)


class Journaled(HubSpotFacts):
    """A portal whose app has a journal."""

    options: Mapping[str, str] = {**HubSpotFacts.options, "journal": "true"}


class RefusingWhole(HubSpotFacts):
    """A portal in which one bad input refuses the whole batch."""

    def furnish(self) -> None:
        super().furnish()
        crm: Any = self.sandbox.vendor.crm
        crm.adopt(crm.schema.behaving(bad_input_refuses="call"))


class Behind(HubSpotFacts):
    """A portal whose searches see a change half a minute after it; somebody else's work has been seen."""

    lag = 30

    def furnish(self) -> None:
        self.sandbox.vendor.admin("index_lag", {"seconds": self.lag})

    def put(self, *names: str) -> list[str]:
        made = super().put(*names)
        self.clock.sleep(self.lag)
        return made

    def change(self, record_id: str, name: str) -> None:
        super().change(record_id, name)
        self.clock.sleep(self.lag)

    def delete(self, record_id: str) -> None:
        super().delete(record_id)
        self.clock.sleep(self.lag)

    def merge(self, loser: str, survivor: str) -> None:
        super().merge(loser, survivor)
        self.clock.sleep(self.lag)


class Unseen(HubSpotFacts):
    """A portal whose searches have not yet seen what somebody else did."""

    def furnish(self) -> None:
        self.sandbox.vendor.admin("index_lag", {"seconds": 30})
