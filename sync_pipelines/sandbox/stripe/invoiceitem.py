"""Invoice items: what waits for an invoice, or became one of its lines."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sync_pipelines.sandbox.store import Document
from sync_pipelines.sandbox.stripe.account import Account
from sync_pipelines.sandbox.stripe.catalog import retrieving
from sync_pipelines.sandbox.stripe.currency import check_amount, rounded
from sync_pipelines.sandbox.stripe.customer import billing_currency, require_customer
from sync_pipelines.sandbox.stripe.line import ITEM, Cost, cost, rates, taxes, totals
from sync_pipelines.sandbox.stripe.listing import Filter, Listing, reference
from sync_pipelines.sandbox.stripe.parameter import Currency, Flag, Text, merged
from sync_pipelines.sandbox.stripe.refusal import Refusal
from sync_pipelines.sandbox.stripe.route import Call, Given, Route, kept
from sync_pipelines.sandbox.stripe.shape import complete, enclosed
from sync_pipelines.sandbox.stripe.view import shown

MOST_ITEMS = 250


def require_draft(invoice: Document) -> None:
    if invoice["status"] != "draft":
        raise Refusal("This invoice is no longer editable because it has been finalized.", code="invoice_not_editable")


def add_item(account: Account, invoice: Document | None, given: Given, *, path: str = "") -> Document:
    """A new item from the parameters `customer`, `currency` and those of `line.ITEM`."""
    price = cost(account, given, given["currency"], path=path)
    now = account.now()
    fields = {
        **_costing(price, given),
        **kept(given, "currency", "customer", "discountable"),
        "date": now,
        "invoice": invoice["id"] if invoice else None,
        "metadata": merged({}, given.get("metadata", {})),
        "period": given.get("period", {"end": now, "start": now}),
        "tax_rates": rates(account, given.get("tax_rates"), param=f"{path}[tax_rates]" if path else "tax_rates"),
    }
    return account.add("invoiceitem", fields, event="invoiceitem.created")


def _costing(price: Cost, given: Given) -> dict[str, Any]:
    return {
        "amount": price.amount,
        "net_amount": price.amount,
        "pricing": price.pricing,
        "quantity": price.quantity,
        "quantity_decimal": str(price.quantity),
        "description": given.get("description", price.description),
    }


def line_of(account: Account, item: Document, invoice: Document, *, id: str | None = None) -> dict[str, Any]:
    """The invoice's line for an item, without its taxes yet."""
    details = {
        "invoice_item": item["id"],
        "proration": False,
        "proration_details": {"credited_items": None},
        "subscription": None,
    }
    copied = kept(
        item,
        "amount", "currency", "description", "discountable", "metadata", "period", "pricing", "quantity",
        "quantity_decimal",
    )  # fmt: skip
    return complete(
        "line_item",
        {
            **copied,
            "id": id or account.new_id("line_item"),
            "invoice": invoice["id"],
            "parent": {
                "invoice_item_details": details,
                "subscription_item_details": None,
                "type": "invoice_item_details",
            },
            "subtotal": item["amount"],
            "_tax_rates": item["tax_rates"],
        },
    )


def with_lines(invoice: Document, lines: list[dict[str, Any]]) -> dict[str, Any]:
    """The fields of a draft that follow from its lines: taxes, totals, what is due."""
    if len(lines) > MOST_ITEMS:
        raise Refusal(f"Invoices can have at most {MOST_ITEMS} line items.", param="lines")
    taxed = [
        {
            **line,
            "taxes": taxes(line["amount"], invoice["currency"], line.get("_tax_rates") or invoice["default_tax_rates"]),
        }
        for line in lines
    ]
    amounts = totals(taxed)
    due = max(0, amounts["total"])
    url = f"/v1/invoices/{invoice['id']}/lines"
    return {**amounts, "amount_due": due, "amount_remaining": due, "lines": enclosed(taxed, url)}


def attach(account: Account, invoice: Document, items: list[Document]) -> Document:
    """Add a line for each item, after the lines there are."""
    lines = [*invoice["lines"]["data"], *(line_of(account, item, invoice) for item in items)]
    for item in items:
        account.change(item, {"invoice": invoice["id"]})
    return account.change(invoice, with_lines(invoice, lines), event="invoice.updated")


def line_for(invoice: Document, item_id: str) -> Document | None:
    for line in invoice["lines"]["data"]:
        details = line["parent"] and line["parent"]["invoice_item_details"]
        if details and details["invoice_item"] == item_id:
            return dict(line)
    return None


def update_item(account: Account, item: Document, given: Given, *, path: str = "") -> Document:
    """Change an item that isn't on a finalized invoice, and the line it became."""
    invoice = account.find("invoice", item["invoice"]) if item["invoice"] else None
    if invoice is not None:
        require_draft(invoice)
    fields: dict[str, Any] = kept(given, "description", "discountable", "period")
    fields.update(_recosted(account, item, given, path=path))
    if "metadata" in given:
        fields["metadata"] = merged(item["metadata"], given["metadata"])
    if "tax_rates" in given:
        fields["tax_rates"] = rates(account, given["tax_rates"], param="tax_rates")
    item = account.change(item, fields, event="invoiceitem.updated")
    if invoice is not None:
        lines = [_renewed(account, line, item, invoice) for line in invoice["lines"]["data"]]
        account.change(invoice, with_lines(invoice, lines), event="invoice.updated")
    return item


def _renewed(account: Account, line: dict[str, Any], item: Document, invoice: Document) -> dict[str, Any]:
    details = line["parent"] and line["parent"]["invoice_item_details"]
    mine = details and details["invoice_item"] == item["id"]
    return line_of(account, item, invoice, id=line["id"]) if mine else line


def _recosted(account: Account, item: Document, given: Given, *, path: str) -> dict[str, Any]:
    if "pricing" in given or "price_data" in given:
        price = cost(account, {"quantity": item["quantity"], **given}, item["currency"], path=path)
        return _costing(price, {"description": item["description"], **given})
    if "amount" in given:
        amount = check_amount(given["amount"], item["currency"], "amount")
        return {"amount": amount, "net_amount": amount, "pricing": None, "quantity": 1, "quantity_decimal": "1"}
    if "quantity" in given and item["pricing"]:
        quantity = given["quantity"]
        amount = rounded(Decimal(item["pricing"]["unit_amount_decimal"]) * quantity, item["currency"])
        text = str(quantity)
        return {"amount": amount, "net_amount": amount, "quantity": quantity, "quantity_decimal": text}
    return {}


def remove_item(account: Account, item: Document) -> dict[str, Any]:
    invoice = account.find("invoice", item["invoice"]) if item["invoice"] else None
    if invoice is not None:
        require_draft(invoice)
        gone = line_for(invoice, item["id"])
        lines = [line for line in invoice["lines"]["data"] if gone is None or line["id"] != gone["id"]]
        account.change(invoice, with_lines(invoice, lines), event="invoice.updated")
    return account.remove(item, event="invoiceitem.deleted")


def _create(call: Call) -> dict[str, Any]:
    account, given = call.account, call.given
    customer = require_customer(account, given["customer"])
    invoice = account.fetch("invoice", given["invoice"], "invoice") if "invoice" in given else None
    currency = given.get("currency") or _currency(account, customer, invoice, given)
    if invoice is not None:
        require_draft(invoice)
        _match(invoice, customer, currency)
    billing_currency(account, customer, currency)
    item = add_item(account, invoice, {**given, "currency": currency})
    if invoice is not None:
        attach(account, invoice, [item])
    return shown(account, item)


def _currency(account: Account, customer: Document, invoice: Document | None, given: Given) -> str:
    price = account.find("price", given.get("pricing", {}).get("price", ""))
    named: Mapping[str, Any] = given.get("price_data") or price or invoice or customer
    return str(named["currency"] or account.settings.currency)


def _match(invoice: Document, customer: Document, currency: str) -> None:
    if invoice["customer"] != customer["id"]:
        raise Refusal("The invoice specified belongs to a different customer.", param="invoice")
    if invoice["currency"] != currency:
        raise Refusal(
            f"The currency of an invoice item must match its invoice's ({invoice['currency']}).",
            param="currency",
        )


def _update(call: Call) -> dict[str, Any]:
    item = call.account.fetch("invoiceitem", call.ids["id"])
    return shown(call.account, update_item(call.account, item, call.given))


def _delete(call: Call) -> dict[str, Any]:
    return remove_item(call.account, call.account.fetch("invoiceitem", call.ids["id"]))


ROUTES = (
    Route(
        "POST",
        "/v1/invoiceitems",
        _create,
        {**ITEM, "currency": Currency(), "customer": Text(), "invoice": Text()},
        ("customer",),
    ),
    retrieving("invoiceitem", "/v1/invoiceitems/<id>"),
    Route("POST", "/v1/invoiceitems/<id>", _update, ITEM),
    Route("DELETE", "/v1/invoiceitems/<id>", _delete),
    Listing(
        "invoiceitem",
        "/v1/invoiceitems",
        {
            "customer": reference("customer"),
            "invoice": reference("invoice"),
            "pending": Filter(Flag(), lambda item, pending: (item["invoice"] is None) == pending),
        },
    ).route(),
)
