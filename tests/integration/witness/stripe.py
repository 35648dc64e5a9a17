"""Stripe through its official SDK."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import stripe

from witness.value import Record, Records, line

VERSION = "2026-06-24.dahlia"
ZONE = ZoneInfo("America/New_York")
"""Where the company's only legal entity dates its documents."""


def stripe_client(url: str, secrets: Mapping[str, str]) -> Any:
    client = stripe.StripeClient(
        secrets["STRIPE_API_KEY"],
        base_addresses={"api": url},
        stripe_version=VERSION,
        http_client=stripe.RequestsClient(),
    )
    return client.v1


class StripeRecords:
    """Reads a whole account."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def read(self) -> Records:
        customers = {c["id"]: self._customer(c) for c in self._all(self.client.customers)}
        products = {p["id"]: self._product(p) for p in self._all(self.client.products)}
        self.numbers = {key: record["number"] for key, record in customers.items()}
        self.codes = {key: record["code"] for key, record in products.items()}
        subscriptions = list(self._all(self.client.subscriptions, status="all"))
        invoices = [i for i in self._all(self.client.invoices) if i["status"] != "draft"]
        entities = {i["id"]: i["metadata"].get("legal_entity") for i in invoices}
        sold = {each["id"]: each["pricing"]["price_details"]["product"] for i in invoices for each in _lines(i)}
        notes = list(self._all(self.client.credit_notes))
        return {
            "customer": customers,
            "product": products,
            "pricing": {p["id"]: self._price(p) for p in self._all(self.client.prices, active=True) if p["lookup_key"]},
            "contract": {s["id"]: self._contract(s) for s in subscriptions},
            "invoice": {i["id"]: self._invoice(i) for i in invoices}
            | {c["id"]: self._credit(c, entities[c["invoice"]], sold) for c in notes},
            "entitlement": {
                item["id"]: self._entitlement(s, item)
                for s in subscriptions
                if s["status"] in ("active", "trialing", "past_due")
                for item in s["items"]["data"]
            },
        }

    def _all(self, service: Any, **given: Any) -> Iterator[Record]:
        for found in service.list({"limit": 100, **given}).auto_paging_iter():
            yield found.to_dict()

    def _customer(self, customer: Record) -> Record:
        about, address = customer["metadata"], customer["address"] or {}
        streets = [part for part in (address.get("line1"), address.get("line2")) if part]
        return {
            "number": about.get("customer_number"),
            "name": customer["name"],
            "tax_id": about.get("tax_id"),
            "email": customer["email"],
            "phone": customer["phone"],
            "website": about.get("website"),
            "street": "\n".join(streets) or None,
            "city": address.get("city"),
            "postal_code": address.get("postal_code"),
            "country": address.get("country"),
        }

    def _product(self, product: Record) -> Record:
        return {
            "code": product["metadata"].get("sku"),
            "name": product["name"],
            "description": product["description"],
            "family": product["metadata"].get("family"),
            "is_active": product["active"],
        }

    def _price(self, price: Record) -> Record:
        recurring = price["recurring"]
        assert recurring is None or recurring["interval_count"] == 1
        return {
            "product": self.codes[price["product"]],
            "currency": price["currency"].upper(),
            "billing_interval": recurring["interval"] if recurring else "once",
            "amount_minor": price["unit_amount"],
        }

    def _contract(self, subscription: Record) -> Record:
        return {
            "number": subscription["metadata"].get("contract_number"),
            "legal_entity": subscription["metadata"].get("legal_entity"),
            "customer": self.numbers[subscription["customer"]],
            "start_on": business_date(subscription["start_date"]),
            "end_on": _last_day(subscription["cancel_at"] or subscription["ended_at"]),
            "status": {"active": "active", "canceled": "ended"}[subscription["status"]],
            "currency": subscription["currency"].upper(),
        }

    def _invoice(self, invoice: Record) -> Record:
        lines = [
            line(self.codes[each["pricing"]["price_details"]["product"]], each["quantity"], each["amount"])
            for each in _lines(invoice)
        ]
        document = self._document(invoice, invoice["metadata"].get("legal_entity"), 1)
        issued = business_date(invoice["effective_at"] or invoice["status_transitions"]["finalized_at"])
        return document | {"kind": "invoice", "issued_on": issued, "lines": lines}

    def _credit(self, note: Record, legal_entity: str, sold: Mapping[str, str]) -> Record:
        lines = [
            line(self.codes[sold[each["invoice_line_item"]]], -each["quantity"], -each["amount"])
            for each in _lines(note)
        ]
        document = self._document(note, legal_entity, -1)
        issued = business_date(note["effective_at"] or note["created"])
        return document | {"kind": "credit", "issued_on": issued, "lines": lines}

    def _document(self, document: Record, legal_entity: str, sign: int) -> Record:
        tax = sum(each["amount"] for each in document["total_taxes"] or [])
        return {
            "number": document["number"],
            "legal_entity": legal_entity,
            "customer": self.numbers[document["customer"]],
            "status": {"open": "posted", "paid": "posted", "issued": "posted"}[document["status"]],
            "currency": document["currency"].upper(),
            "net_minor": sign * (document["total"] - tax),
            "tax_minor": sign * tax,
            "total_minor": sign * document["total"],
        }

    def _entitlement(self, subscription: Record, item: Record) -> Record:
        return {
            "number": item["id"],
            "customer": self.numbers[subscription["customer"]],
            "product": self.codes[item["price"]["product"]],
            "quantity": Decimal(item["quantity"]),
            "start_on": business_date(subscription["start_date"]),
            "end_on": _last_day(subscription["cancel_at"]),
        }


def _lines(document: Record) -> list[Record]:
    """All lines of an invoice or credit note."""
    assert not document["lines"]["has_more"]
    return list(document["lines"]["data"])


def business_date(moment: int | None) -> date | None:
    return None if moment is None else datetime.fromtimestamp(moment, UTC).astimezone(ZONE).date()


def _last_day(ends: int | None) -> date | None:
    """The last day before a subscription is cancelled."""
    return None if ends is None else business_date(ends - 1)
