"""Invoices: drafts that are edited, finalized once, and then only paid, voided, written off or credited."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sync_pipelines.sandbox.store import Document
from sync_pipelines.sandbox.stripe.account import Account
from sync_pipelines.sandbox.stripe.catalog import retrieving
from sync_pipelines.sandbox.stripe.customer import billing_currency, require_customer
from sync_pipelines.sandbox.stripe.invoiceitem import (
    add_item,
    attach,
    remove_item,
    require_draft,
    update_item,
    with_lines,
)
from sync_pipelines.sandbox.stripe.line import ITEM, rates
from sync_pipelines.sandbox.stripe.listing import PAGING, Filter, Listing, choice, paged, reference, within
from sync_pipelines.sandbox.stripe.parameter import (
    MOMENT,
    Choice,
    Clearable,
    Currency,
    Flag,
    Group,
    Items,
    Kind,
    Metadata,
    Text,
    Whole,
    merged,
)
from sync_pipelines.sandbox.stripe.refusal import Refusal, missing
from sync_pipelines.sandbox.stripe.route import Call, Given, Route, kept
from sync_pipelines.sandbox.stripe.shape import enclosed
from sync_pipelines.sandbox.stripe.view import shown

STATUSES = ("draft", "open", "paid", "uncollectible", "void")
COLLECTION_METHOD = Choice(("charge_automatically", "send_invoice"))
_FREE: dict[str, Kind] = {
    "auto_advance": Flag(),
    "custom_fields": Clearable(Items(Group({"name": Text(40), "value": Text(140)}, ("name", "value")), 4)),
    "default_payment_method": Clearable(Text()),
    "description": Clearable(Text(1500)),
    "footer": Clearable(Text()),
    "metadata": Metadata(),
}
"""What can be changed after finalization too."""
_FROZEN: dict[str, Kind] = {
    "collection_method": COLLECTION_METHOD,
    "days_until_due": Whole(0),
    "default_tax_rates": Clearable(Items(Text(), 20), []),
    "due_date": MOMENT,
    "effective_at": Clearable(MOMENT),
    "number": Clearable(Text(26)),
    "statement_descriptor": Clearable(Text(22)),
}
_CREATE: dict[str, Kind] = {
    **_FREE,
    **_FROZEN,
    "currency": Currency(),
    "customer": Text(),
    "pending_invoice_items_behavior": Choice(("exclude", "include")),
}


def _create(call: Call) -> dict[str, Any]:
    account, given = call.account, call.given
    customer = require_customer(account, given["customer"])
    currency = given.get("currency") or customer["currency"] or account.settings.currency
    billing_currency(account, customer, currency)
    _check_terms(given, given.get("collection_method", "charge_automatically"))
    draft = new_draft(account, customer, {**_fields(account, None, given), "currency": currency})
    account.emit("invoice.created", draft)
    if given.get("pending_invoice_items_behavior") == "include":
        draft = _include_pending(account, customer, draft)
    return shown(account, draft)


def new_draft(account: Account, customer: Document, fields: Mapping[str, Any]) -> Document:
    """A draft without lines, with the customer as it is now; emits nothing."""
    now, invoice_id = account.now(), account.new_id("invoice")
    together = {
        "id": invoice_id,
        "account_country": account.settings.country,
        "account_name": account.settings.name,
        "customer": customer["id"],
        **snapshot(customer),
        "period_end": now,
        "period_start": now,
        "lines": enclosed([], f"/v1/invoices/{invoice_id}/lines"),
        **fields,
    }
    return account.add("invoice", together)


def snapshot(customer: Document) -> dict[str, Any]:
    """What an invoice copies from its customer."""
    copied = ("address", "email", "name", "phone", "shipping", "tax_exempt")
    return {f"customer_{name}": customer[name] for name in copied}


def _include_pending(account: Account, customer: Document, draft: Document) -> Document:
    found = account.store.find("invoiceitem", "customer", customer["id"])
    pending = [item for item in found if item["invoice"] is None and item["currency"] == draft["currency"]]
    return attach(account, draft, sorted(pending, key=_newest(account), reverse=True))


def _newest(account: Account) -> Callable[[Document], Any]:
    return lambda item: account.shelves.of("invoiceitem").key(item["id"])


def _check_terms(given: Given, method: str) -> None:
    terms = [name for name in ("days_until_due", "due_date") if name in given]
    if terms and method != "send_invoice":
        raise Refusal(f"You can only specify `{terms[0]}` if `collection_method` is `send_invoice`.", param=terms[0])
    if len(terms) > 1:
        raise Refusal(
            "You may only specify one of these parameters: days_until_due, due_date.",
            code="parameters_exclusive",
            param="due_date",
        )


def _fields(account: Account, invoice: Document | None, given: Given) -> dict[str, Any]:
    fields = kept(
        given,
        "auto_advance", "collection_method", "custom_fields", "default_payment_method", "description",
        "due_date", "effective_at", "footer", "number", "statement_descriptor",
    )  # fmt: skip
    if "metadata" in given:
        fields["metadata"] = merged(invoice["metadata"] if invoice else {}, given["metadata"])
    if "default_tax_rates" in given:
        fields["default_tax_rates"] = rates(account, given["default_tax_rates"], param="default_tax_rates")
    if "days_until_due" in given:
        fields["due_date"] = account.now() + given["days_until_due"] * 86_400
    if given.get("number"):
        _require_free(account, given["number"], invoice)
    return fields


def _require_free(account: Account, number: str, invoice: Document | None) -> None:
    own = invoice["id"] if invoice else None
    if any(other["id"] != own for other in account.store.find("invoice", "number", number)):
        raise Refusal(
            f"Invoice number must be unique: {number} is already used.",
            code="resource_already_exists",
            param="number",
        )


def _update(call: Call) -> dict[str, Any]:
    account, given = call.account, call.given
    invoice = account.fetch("invoice", call.ids["id"])
    if invoice["status"] != "draft" and any(name in _FROZEN for name in given):
        frozen = next(name for name in given if name in _FROZEN)
        raise Refusal(
            f"Finalized invoices can't be updated in this way: {frozen} is frozen.",
            code="invoice_not_editable",
            param=frozen,
        )
    _check_terms(given, given.get("collection_method", invoice["collection_method"]))
    fields = _fields(account, invoice, given)
    if "default_tax_rates" in fields:
        fields.update(with_lines({**invoice, **fields}, invoice["lines"]["data"]))
    return shown(account, account.change(invoice, fields, event="invoice.updated"))


def _delete(call: Call) -> dict[str, Any]:
    account, invoice = call.account, call.account.fetch("invoice", call.ids["id"])
    if invoice["status"] != "draft":
        raise Refusal("You can only delete draft invoices.", code="invoice_not_editable")
    if invoice["parent"] is not None:
        raise Refusal("You can't delete an invoice that was created by a subscription.")
    for item in account.store.find("invoiceitem", "invoice", invoice["id"]):
        account.remove(item, event="invoiceitem.deleted")
    return account.remove(invoice, event="invoice.deleted")


def _lines(call: Call) -> dict[str, Any]:
    invoice = call.account.fetch("invoice", call.ids["id"])
    return paged(invoice["lines"]["data"], call, url=invoice["lines"]["url"], kind="line_item")


def _add_lines(call: Call) -> dict[str, Any]:
    account, invoice = call.account, call.account.fetch("invoice", call.ids["id"])
    require_draft(invoice)
    whose = {"customer": invoice["customer"], "currency": invoice["currency"]}
    items = [
        account.fetch("invoiceitem", line["invoice_item"], f"lines[{place}][invoice_item]")
        if "invoice_item" in line
        else add_item(account, invoice, {**line, **whose}, path=f"lines[{place}]")
        for place, line in enumerate(call.given["lines"])
    ]
    if "invoice_metadata" in call.given:
        metadata = merged(invoice["metadata"], call.given["invoice_metadata"])
        invoice = account.change(invoice, {"metadata": metadata})
    return shown(account, attach(account, invoice, items))


def _item_behind(account: Account, invoice: Document, line_id: str, param: str | None) -> Document:
    line = next((line for line in invoice["lines"]["data"] if line["id"] == line_id), None)
    details = line["parent"]["invoice_item_details"] if line and line["parent"] else None
    item = account.find("invoiceitem", details["invoice_item"]) if details else None
    if item is None:
        raise missing("line_item", line_id, param=param)
    return item


def _remove_lines(call: Call) -> dict[str, Any]:
    account, invoice = call.account, call.account.fetch("invoice", call.ids["id"])
    require_draft(invoice)
    for place, line in enumerate(call.given["lines"]):
        item = _item_behind(account, invoice, line["id"], f"lines[{place}][id]")
        if line["behavior"] == "delete":
            remove_item(account, item)
        else:
            remove_item(account, item)
            account.add("invoiceitem", {**item, "invoice": None})
    return shown(account, account.fetch("invoice", invoice["id"]))


def _update_line(call: Call) -> dict[str, Any]:
    account, invoice = call.account, call.account.fetch("invoice", call.ids["id"])
    require_draft(invoice)
    item = _item_behind(account, invoice, call.ids["line"], None)
    update_item(account, item, call.given)
    lines = account.fetch("invoice", invoice["id"])["lines"]["data"]
    return shown(account, next(line for line in lines if line["id"] == call.ids["line"]))


def subscription_of(invoice: Document) -> str | None:
    details = invoice["parent"] and invoice["parent"]["subscription_details"]
    return details["subscription"] if details else None


_LINE = Group({**ITEM, "invoice_item": Text()})
_LEAVING = Group({"behavior": Choice(("delete", "unassign")), "id": Text()}, ("behavior", "id"))
_RULE = "/v1/invoices/<id>"

ROUTES = (
    Route("POST", "/v1/invoices", _create, _CREATE, ("customer",)),
    retrieving("invoice", _RULE),
    Route("POST", _RULE, _update, {**_FREE, **_FROZEN}),
    Route("DELETE", _RULE, _delete),
    Route("GET", f"{_RULE}/lines", _lines, PAGING),
    Route("POST", f"{_RULE}/lines/<line>", _update_line, ITEM),
    Route(
        "POST",
        f"{_RULE}/add_lines",
        _add_lines,
        {"lines": Items(_LINE), "invoice_metadata": Metadata()},
        ("lines",),
    ),
    Route("POST", f"{_RULE}/remove_lines", _remove_lines, {"lines": Items(_LEAVING)}, ("lines",)),
    Listing(
        "invoice",
        "/v1/invoices",
        {
            "collection_method": Filter(
                COLLECTION_METHOD, lambda invoice, value: bool(invoice["collection_method"] == value)
            ),
            "customer": reference("customer"),
            "due_date": within("due_date"),
            "status": choice("status", *STATUSES),
            "subscription": Filter(
                Text(), lambda invoice, value: subscription_of(invoice) == value, refers="subscription"
            ),
        },
    ).route(),
)
