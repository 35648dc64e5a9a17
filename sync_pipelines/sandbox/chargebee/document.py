"""What invoices and credit notes share: lines, their taxes, and totals in integer minor units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sync_pipelines.sandbox.chargebee.filter import ENUM, FLAG, NUMBER, STRING, TIMESTAMP
from sync_pipelines.sandbox.chargebee.listing import Operators
from sync_pipelines.sandbox.chargebee.site import Site
from sync_pipelines.sandbox.store import Document

Line = dict[str, Any]

FILTERS: Mapping[str, Operators] = {
    **dict.fromkeys(("id", "customer_id", "subscription_id"), STRING),
    **dict.fromkeys(("status", "price_type"), ENUM),
    **dict.fromkeys(("date", "updated_at", "voided_at"), TIMESTAMP),
    "total": NUMBER,
}
INVOICE_FILTERS: Mapping[str, Operators] = {
    **FILTERS,
    **dict.fromkeys(("amount_due", "amount_paid"), NUMBER),
    "paid_at": TIMESTAMP,
    "recurring": FLAG,
}


def priced(site: Site, price: Document, quantity: int, unit_price: int | None, *, at: int) -> Line:
    """A line for something from the catalog; flat fees don't count pieces."""
    unit = price.get("price", 0) if unit_price is None else unit_price
    pieces = quantity if price["pricing_model"] != "flat_fee" else 1
    return {
        "id": f"li_{site.new_id('line')}",
        "date_from": at,
        "date_to": at,
        "unit_amount": unit,
        "quantity": quantity,
        "amount": unit * pieces,
        "pricing_model": price["pricing_model"],
        "is_taxed": bool(price.get("is_taxable", True)),
        "description": price.get("external_name") or price["name"],
        "entity_type": f"{price['item_type']}_item_price",
        "entity_id": price["id"],
        "discount_amount": 0,
        "item_level_discount_amount": 0,
    }


def adhoc(site: Site, amount: int, description: str | None, *, taxable: bool, at: int) -> Line:
    """A line for something that is in no catalog."""
    return {
        "id": f"li_{site.new_id('line')}",
        "date_from": at,
        "date_to": at,
        "unit_amount": amount,
        "quantity": 1,
        "amount": amount,
        "pricing_model": "flat_fee",
        "is_taxed": taxable,
        "description": description or "Charge",
        "entity_type": "adhoc",
        "discount_amount": 0,
        "item_level_discount_amount": 0,
    }


def taxed(lines: Sequence[Line], pct: int) -> list[Line]:
    """The lines with their taxes, each rounded half up by itself."""
    return [
        {
            **line,
            "object": "line_item",
            "is_taxed": line["is_taxed"] and pct > 0,
            "tax_rate": pct if line["is_taxed"] else 0,
            "tax_amount": _share(line["amount"], pct) if line["is_taxed"] else 0,
        }
        for line in lines
    ]


def tax_pct(site: Site, customer: Document) -> int:
    country = customer.get("billing_address", {}).get("country", "")
    exempt = customer.get("taxability") == "exempt"
    return 0 if exempt else site.settings.tax_pct.get(country, 0)


def totals(lines: Sequence[Line], pct: int) -> dict[str, Any]:
    """Amounts of a document from its lines, tax on top."""
    net = sum(line["amount"] - line["discount_amount"] for line in lines)
    tax = sum(line["tax_amount"] for line in lines)
    made: dict[str, Any] = {
        "line_items": list(lines),
        "sub_total": net,
        "total": net + tax,
        "price_type": "tax_exclusive",
    }
    if tax:
        made["taxes"] = [{"object": "tax", "name": "VAT", "description": f"VAT @ {pct}%", "amount": tax}]
        made["line_item_taxes"] = [
            {
                "object": "line_item_tax",
                "line_item_id": line["id"],
                "tax_name": "VAT",
                "tax_rate": line["tax_rate"],
                "taxable_amount": line["amount"] - line["discount_amount"],
                "tax_amount": line["tax_amount"],
            }
            for line in lines
            if line["is_taxed"]
        ]
    return made


def shown(site: Site, document: Document, *, start: int = 0, limit: int | None = None) -> dict[str, Any]:
    """A document with as many of its lines as one answer carries, and where the others begin."""
    limit = min(limit or site.settings.lines_embedded, site.settings.lines_embedded)
    lines = document["line_items"]
    part = {**document, "line_items": lines[start : start + limit]}
    if len(lines) > start + limit:
        part["line_items_next_offset"] = str(start + limit)
    return part


def _share(amount: int, pct: int) -> int:
    sign = 1 if amount >= 0 else -1
    return sign * ((abs(amount) * pct * 2 + 100) // 200)
