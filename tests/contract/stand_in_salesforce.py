"""What the conformance suite needs done in Salesforce's stand-in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import requests

from sync_pipelines import mappings
from sync_pipelines.engine.port import Rate
from sync_pipelines.systems.salesforce import open_system
from sync_pipelines.testing.facts import Amounts, Fault
from sync_pipelines.testing.stand_in import StandIn

A_DAY = Rate(100_000, 86_400, "HTTP 403, REQUEST_LIMIT_EXCEEDED")
"""The calls of an Enterprise org without its licences."""


class SalesforceFacts(StandIn):
    """Accounts of an org."""

    vendor = "salesforce"
    open_system = staticmethod(open_system)
    object = "Account"
    shape: Mapping[str, Any] = {"Name": "VARCHAR", "MasterRecordId": "VARCHAR"}
    beside = mappings.objects("salesforce")
    options: Mapping[str, str] = {"client_id": "sandbox-client", "client_secret": "sandbox-secret"}
    data = "/services/data/v"
    slowest = 590
    longest = 255
    latest = 900
    spoilt: Mapping[str, Mapping[str, Any]] = {
        Fault.VERSION_RETIRED: {
            "kind": "status",
            "status": 410,
            "body": [{"message": "API version is retired", "errorCode": "UNSUPPORTED_API_VERSION"}],
        },
    }
    throttled: Mapping[str, Mapping[str, Any]] = {
        "the day's calls are used up": {
            "kind": "status",
            "status": 403,
            "body": [{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}],
        },
        "the server is busy": {
            "kind": "status",
            "status": 503,
            "body": [{"message": "Server is too busy", "errorCode": "SERVER_UNAVAILABLE"}],
        },
        "too many calls at once": {"kind": "status", "status": 429, "headers": {"Retry-After": "2"}, "body": []},
    }

    def body(self, name: str) -> Mapping[str, Any]:
        return {"Name": name}

    def refused(self, name: str) -> Mapping[str, Any]:
        return {"Name": name + "x" * 300}

    def is_write(self, request: requests.PreparedRequest) -> bool:
        return request.method == "PATCH"

    def delete(self, record_id: str) -> None:
        vendor: Any = self.sandbox.vendor
        vendor.api.bin.delete(vendor.org.lookup.object("Account"), record_id)

    def merge(self, loser: str, survivor: str) -> None:
        self.sandbox.vendor.admin("merge", {"winner": survivor, "losers": [loser]})

    def put_late(self, name: str) -> tuple[str, float]:
        given = {"object": self.object, "values": self.body(name), "seconds": self.latest}
        return str(self.sandbox.vendor.admin("save_late", given)["id"]), self.latest

    def amounts(self) -> Amounts:
        """The field has two decimals for every currency. A number in JSON is all that the API takes."""
        fixed = {"Name": "Priced", "StageName": "Prospecting", "CloseDate": "2026-12-31"}
        return Amounts(
            object="Opportunity",
            shape={"Amount": "DECIMAL(18,2)", "CurrencyIsoCode": "VARCHAR"},
            body=lambda amount, currency: {**fixed, "Amount": float(amount), "CurrencyIsoCode": currency},
            told=lambda payload: (Decimal(payload["Amount"]), payload["CurrencyIsoCode"]),
            currencies=("EUR", "JPY"),
        )

    def published(self) -> Mapping[str, Any]:
        """The version is the one in the path of a call; the rest is the vendor's own documents'."""
        self.system.count(self.object)
        spoken = self.sandbox.requests[-1].path.split("/")[3].removeprefix("v")
        return {"api_version": spoken, "retires_on": date(2029, 6, 15), "zone": "UTC", "rate": A_DAY}

    def count_held(self, external_id: str) -> int:
        rows = self.sandbox.store.all("Account")
        return sum(not row["IsDeleted"] and row["Sync_Id__c"] == external_id for row in rows)
