"""What the conformance suite needs done in NetSuite's stand-in."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import requests

from sync_pipelines import mappings
from sync_pipelines.sandbox.netsuite import CERTIFICATE, private_key, seed
from sync_pipelines.sandbox.transport import InProcess
from sync_pipelines.systems.netsuite import open_system
from sync_pipelines.systems.netsuite.source import source_of
from sync_pipelines.testing.facts import Amounts, Fault, NotChecked
from sync_pipelines.testing.stand_in import StandIn

BY_CERTIFICATE = {
    "zone": "America/Los_Angeles",
    "client_id": "sandbox-client",
    "certificate_id": CERTIFICATE,
    "private_key": private_key(),
}
BY_TOKEN = {
    "zone": "America/Los_Angeles",
    "account": "1234567_SB1",
    "consumer_key": "sandbox-consumer",
    "consumer_secret": "sandbox-consumer-secret",
    "token_id": "sandbox-token",
    "token_secret": "sandbox-token-secret",
}
CURRENCIES = {"1": "USD", "2": "EUR", "3": "JPY", "4": "BHD"}


class NetSuiteFacts(StandIn):
    """Customers of an account."""

    vendor = "netsuite"
    open_system = staticmethod(open_system)
    object = "customer"
    shape: Mapping[str, Any] = {"companyname": "VARCHAR"}
    beside: Mapping[str, Any] = {**mappings.objects("netsuite"), "customerPayment": {}}
    options: Mapping[str, str] = BY_CERTIFICATE
    data = "/services/rest/"
    slowest = 890
    latest = 800
    throttled: Mapping[str, Mapping[str, Any]] = {
        "too many calls at once": {
            "kind": "status",
            "status": 429,
            "body": {
                "title": "Bad Request",
                "status": 429,
                "o:errorDetails": [{"o:errorCode": "CONCURRENCY_LIMIT_EXCEEDED"}],
            },
        },
        "too many calls at once, told as a bad request": {
            "kind": "status",
            "status": 400,
            "body": {"status": 400, "o:errorDetails": [{"o:errorCode": "SSS_REQUEST_LIMIT_EXCEEDED"}]},
        },
        "the account is offline": {
            "kind": "status",
            "status": 503,
            "body": {"status": 503, "o:errorDetails": [{"o:errorCode": "ACCT_TEMP_UNAVAILABLE"}]},
        },
    }

    def furnish(self) -> None:
        seed(self.sandbox.store, {"serviceSaleItem": [{"id": "9", "itemId": "SKU-1"}]})
        currencies = [{"currency": number} for number in CURRENCIES]
        buyer = {"id": "5", "entityId": "Buyer", "companyName": "Buyer", "subsidiary": "1", "currency": "1"}
        seed(self.sandbox.store, {"customer": [{**buyer, "currencyList": currencies}]})

    def body(self, name: str) -> Mapping[str, Any]:
        return {"companyName": name, "subsidiary": {"id": "1"}, "currency": {"id": "1"}}

    def renamed(self, name: str) -> Mapping[str, Any]:
        return {"companyName": name}

    def refused(self, name: str) -> Mapping[str, Any]:
        return {**self.body(name), "terms": {"id": "999"}}

    def is_write(self, request: requests.PreparedRequest) -> bool:
        return request.method == "PUT"

    def delete(self, record_id: str) -> None:
        self.other._wire.call("DELETE", f"/services/rest/record/v1/customer/{record_id}", route="DELETE", safe=False)

    def merge(self, loser: str, survivor: str) -> None:
        raise NotChecked("the stand-in merges no customers")

    def put_late(self, name: str) -> tuple[str, float]:
        given = {"record": self.object, "values": self.body(name), "seconds": self.latest}
        return str(self.sandbox.vendor.admin("save_late", given)["id"]), self.latest

    def lose(self) -> None:
        """What arrives late arrives only when somebody calls again: its job is over by then."""
        self.sandbox.vendor.jobs.seconds = 0
        super().lose()

    def strike(self, fault: str, *, times: int | None = None, writes: bool = False) -> None:
        if fault == Fault.BODY_CUT_OFF and writes:
            raise NotChecked("the reply to a write has no body")
        super().strike(fault, times=times, writes=writes)

    def count_held(self, external_id: str) -> int:
        carried = source_of(self.object).external_id(external_id)
        return sum(row.get("externalId") == carried for row in self.sandbox.store.all("customer"))

    def text_max(self) -> int:
        return 83

    def amounts(self) -> Amounts:
        ids = {currency: number for number, currency in CURRENCIES.items()}

        def body(amount: Decimal, currency: str) -> Mapping[str, Any]:
            line = {"item": {"id": "9"}, "quantity": 1, "amount": float(amount)}
            whole = {"entity": {"id": "5"}, "currency": {"id": ids[currency]}, "tranDate": "2026-11-20"}
            return {**whole, "item": {"items": [line]}}

        return Amounts(
            object="invoice",
            shape={"foreigntotal": "DECIMAL(18,4)", "currency": "VARCHAR"},
            body=body,
            told=lambda row: (Decimal(row["foreigntotal"]), CURRENCIES[row["currency"]]),
            currencies=list(ids),
        )

    def published(self) -> Mapping[str, Any]:
        return {"api_version": "v1", "retires_on": None, "zone": "America/Los_Angeles", "rate": None}


class ByToken(NetSuiteFacts):
    """The same account, with every call signed."""

    options: Mapping[str, str] = BY_TOKEN

    def __init__(self, **claims: Any) -> None:
        super().__init__(**claims)
        self.options = BY_CERTIFICATE
        self.other = self.open(InProcess(self.sandbox))

    def strike(self, fault: str, *, times: int | None = None, writes: bool = False) -> None:
        if fault == Fault.TOKEN_EXPIRED:
            raise NotChecked("a token of this kind does not expire")
        super().strike(fault, times=times, writes=writes)

    def lose(self) -> None:
        raise NotChecked("a signature is refused after five minutes, before a call as late as that arrives")
