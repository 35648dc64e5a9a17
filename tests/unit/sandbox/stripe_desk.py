"""A plain HTTP client for the Stripe stand-in, in process and on a clock that stands still."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import requests

from sync_pipelines.sandbox.app import Sandbox
from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.launch import open_sandbox
from sync_pipelines.sandbox.transport import InProcess

TODAY = datetime(2026, 11, 23, 12, tzinfo=UTC)
URL = "http://stripe.test"


@dataclass(frozen=True)
class Desk:
    sandbox: Sandbox
    session: requests.Session

    def send(self, method: str, path: str, *, key: str = "", **given: Any) -> requests.Response:
        headers = {"Idempotency-Key": key} if key else {}
        return self.session.request(method, URL + path, headers=headers, timeout=5, **given)

    def post(self, path: str, *, key: str = "", **form: Any) -> dict[str, Any]:
        """The answer's body; nested names are given as `{"metadata[a]": "1"}` in `form`."""
        return self.send("POST", path, key=key, data=form.pop("form", form)).json()

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        return self.send("GET", path, params=params.pop("params", params)).json()

    def delete(self, path: str) -> dict[str, Any]:
        return self.send("DELETE", path).json()

    def error(self, path: str, **form: Any) -> tuple[str | None, str | None]:
        """Code and parameter of the error that a POST provokes."""
        error = self.post(path, **form)["error"]
        return error.get("code"), error.get("param")

    def events(self) -> list[str]:
        """Types of the events there are, oldest first."""
        return [event["type"] for event in reversed(self.get("/v1/events", limit=100)["data"])]

    def price(self, amount: int = 1000, *, currency: str = "usd", **form: Any) -> str:
        """A new one-time price of a new product."""
        product = self.post("/v1/products", name="Seat")["id"]
        return self.post("/v1/prices", product=product, currency=currency, unit_amount=amount, **form)["id"]

    def draft(self, *amounts: int, customer: str = "", **form: Any) -> dict[str, Any]:
        """A draft invoice with one line an amount."""
        customer = customer or self.post("/v1/customers", name="Acme")["id"]
        invoice = self.post("/v1/invoices", form={"customer": customer, **form})
        lines = {f"lines[{place}][amount]": amount for place, amount in enumerate(amounts)}
        return self.post(f"/v1/invoices/{invoice['id']}/add_lines", form=lines) if amounts else invoice

    def final(self, *amounts: int, **form: Any) -> dict[str, Any]:
        return self.post(f"/v1/invoices/{self.draft(*amounts, **form)['id']}/finalize")


def open_desk() -> Desk:
    sandbox = open_sandbox("stripe", clock=VirtualClock(TODAY))
    session = requests.Session()
    session.mount(URL, InProcess(sandbox))
    session.headers["Authorization"] = "Bearer sk_test_sandbox"
    return Desk(sandbox, session)
