"""Credit notes: what is taken back of a finalized invoice, never more than it charged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sync_pipelines.sandbox.store import Document
from sync_pipelines.sandbox.stripe.account import Account
from sync_pipelines.sandbox.stripe.catalog import retrieving
from sync_pipelines.sandbox.stripe.currency import check_amount, plain, rounded
from sync_pipelines.sandbox.stripe.line import rates, taxes, totals
from sync_pipelines.sandbox.stripe.listing import PAGING, Listing, paged, reference
from sync_pipelines.sandbox.stripe.parameter import (
    MOMENT,
    Choice,
    Clearable,
    Exact,
    Group,
    Items,
    Kind,
    Metadata,
    Text,
    Whole,
    exclusive,
    merged,
)
from sync_pipelines.sandbox.stripe.refusal import Refusal, missing
from sync_pipelines.sandbox.stripe.route import Call, Given, Route, kept
from sync_pipelines.sandbox.stripe.settlement import settle
from sync_pipelines.sandbox.stripe.shape import complete, enclosed
from sync_pipelines.sandbox.stripe.view import shown

_LINE = Group(
    {
        "amount": Whole(0),
        "description": Text(),
        "invoice_line_item": Text(),
        "metadata": Metadata(),
        "quantity": Whole(1),
        "tax_rates": Clearable(Items(Text(), 20), []),
        "type": Choice(("custom_line_item", "invoice_line_item")),
        "unit_amount": Whole(),
        "unit_amount_decimal": Exact(),
    },
    ("type",),
)
_REFUND = Group({"amount_refunded": Whole(0), "refund": Text()})
_CREATE: dict[str, Kind] = {
    "amount": Whole(0),
    "credit_amount": Whole(0),
    "effective_at": MOMENT,
    "email_type": Choice(("credit_note", "none")),
    "invoice": Text(),
    "lines": Items(_LINE),
    "memo": Text(),
    "metadata": Metadata(),
    "out_of_band_amount": Whole(0),
    "reason": Choice(("duplicate", "fraudulent", "order_change", "product_unsatisfactory")),
    "refund_amount": Whole(0),
    "refunds": Items(_REFUND),
}


@dataclass(frozen=True, slots=True)
class _Split:
    """How a credit is given: off what is still owed, and back for what was paid."""

    pre: int
    post: int

    @property
    def type(self) -> str:
        if self.pre and self.post:
            return "mixed"
        return "post_payment" if self.post else "pre_payment"


def _create(call: Call) -> dict[str, Any]:
    account = call.account
    fields, split = _drawn_up(call)
    invoice = account.fetch("invoice", call.given["invoice"], "invoice")
    count = len(account.store.find("credit_note", "invoice", invoice["id"])) + 1
    fields["number"] = f"{invoice['number']}-CN-{count:02d}"
    fields["lines"] = enclosed(fields["lines"], f"/v1/credit_notes/{fields['id']}/lines")
    note = account.add("credit_note", fields, event="credit_note.created")
    _apply(account, invoice, split)
    return shown(account, note)


def _preview(call: Call) -> dict[str, Any]:
    fields, _ = _drawn_up(call)
    fields["lines"] = enclosed(fields["lines"], "/v1/credit_notes/preview/lines")
    return shown(call.account, complete("credit_note", {"created": call.account.now(), **fields}))


def _drawn_up(call: Call) -> tuple[dict[str, Any], _Split]:
    """The fields of the credit note that the parameters ask for, as far as the invoice allows it."""
    account, given = call.account, call.given
    invoice = account.fetch("invoice", given["invoice"], "invoice")
    if invoice["status"] not in ("open", "paid", "uncollectible"):
        raise Refusal(
            "You can only create a credit note for an invoice that is open, paid or uncollectible; this one "
            f"is {invoice['status']}.",
            param="invoice",
        )
    lines = _lines_of(account, invoice, given)
    amounts = totals(lines)
    _require_creditable(account, invoice, amounts["total"])
    split = _split(invoice, amounts["total"], given)
    amounts["total_excluding_tax"] = amounts["subtotal_excluding_tax"]
    fields = {
        **kept(given, "memo", "reason"),
        **amounts,
        "id": account.new_id("credit_note"),
        "amount": amounts["total"],
        "currency": invoice["currency"],
        "customer": invoice["customer"],
        "effective_at": given.get("effective_at", account.now()),
        "invoice": invoice["id"],
        "lines": lines,
        "metadata": merged({}, given.get("metadata", {})),
        "out_of_band_amount": given.get("out_of_band_amount"),
        "post_payment_amount": split.post,
        "pre_payment_amount": split.pre,
        "refunds": _refunds(account, given),
        "type": split.type,
    }
    return fields, split


def _lines_of(account: Account, invoice: Document, given: Given) -> list[dict[str, Any]]:
    if exclusive(given, "amount", "lines", required=True) == "amount":
        amount = check_amount(given["amount"], invoice["currency"], "amount")
        fields = {"amount": amount, "description": None, "quantity": 1, "type": "custom_line_item"}
        return [_line(account, invoice, {**fields, "unit_amount": amount, "unit_amount_decimal": str(amount)})]
    return [
        _invoice_line(account, invoice, line, path=f"lines[{place}]")
        if line["type"] == "invoice_line_item"
        else _custom_line(account, invoice, line, path=f"lines[{place}]")
        for place, line in enumerate(given["lines"])
    ]


def _line(account: Account, invoice: Document, fields: Mapping[str, Any]) -> dict[str, Any]:
    line_id = account.new_id("credit_note_line_item")
    return complete("credit_note_line_item", {"id": line_id, **fields})


def _invoice_line(account: Account, invoice: Document, given: Given, *, path: str) -> dict[str, Any]:
    """A line that takes back some of an invoice line, with the same taxes in proportion."""
    asked = given.get("invoice_line_item", "")
    source = next((line for line in invoice["lines"]["data"] if line["id"] == asked), None)
    if source is None:
        raise missing("line_item", asked, param=f"{path}[invoice_line_item]")
    exclusive(given, "amount", "quantity")
    whole, amount = source["amount"], given.get("amount")
    if amount is None:
        quantity = given.get("quantity", source["quantity"])
        if quantity > (source["quantity"] or 1):
            raise Refusal(
                f"The quantity {quantity} is more than the invoice line's ({source['quantity']}).",
                param=f"{path}[quantity]",
            )
        amount = rounded(Decimal(whole) * quantity / (source["quantity"] or 1), invoice["currency"])
    shares = [_share(tax, Decimal(amount) / (whole or 1), invoice["currency"]) for tax in source["taxes"] or ()]
    return _line(
        account,
        invoice,
        {
            "amount": amount,
            "description": given.get("description", source["description"]),
            "invoice_line_item": source["id"],
            "metadata": merged({}, given.get("metadata", {})),
            "quantity": given.get("quantity", None if "amount" in given else source["quantity"]),
            "tax_rates": rates_of(account, source["taxes"] or ()),
            "taxes": shares,
            "type": "invoice_line_item",
        },
    )


def rates_of(account: Account, applied: Any) -> list[Document]:
    """The tax rates behind taxes, where the account has them."""
    found = [account.find("tax_rate", tax["tax_rate_details"]["tax_rate"]) for tax in applied]
    return [rate for rate in found if rate is not None]


def _share(tax: Mapping[str, Any], part: Decimal, currency: str) -> dict[str, Any]:
    return {
        **tax,
        "amount": rounded(tax["amount"] * part, currency),
        "taxable_amount": rounded((tax.get("taxable_amount") or 0) * part, currency),
    }


def _custom_line(account: Account, invoice: Document, given: Given, *, path: str) -> dict[str, Any]:
    which = exclusive(given, "unit_amount", "unit_amount_decimal", required=True)
    quantity, unit = given.get("quantity", 1), Decimal(given[which or "unit_amount"])
    amount = rounded(unit * quantity, invoice["currency"])
    applied = rates(account, given.get("tax_rates"), param=f"{path}[tax_rates]")
    return _line(
        account,
        invoice,
        {
            "amount": check_amount(amount, invoice["currency"], f"{path}[{which}]"),
            "description": given.get("description"),
            "metadata": merged({}, given.get("metadata", {})),
            "quantity": quantity,
            "tax_rates": applied,
            "taxes": taxes(amount, invoice["currency"], applied),
            "type": "custom_line_item",
            "unit_amount": int(unit) if unit == int(unit) else None,
            "unit_amount_decimal": plain(unit),
        },
    )


def _require_creditable(account: Account, invoice: Document, total: int) -> None:
    issued = account.store.find("credit_note", "invoice", invoice["id"])
    left = invoice["total"] - sum(note["total"] for note in issued if note["status"] == "issued")
    if total <= 0:
        raise Refusal("A credit note must have a positive amount.", param="amount")
    if total > left:
        raise Refusal(
            f"The sum of credit notes would be greater than the invoice's total: {total} was asked for, "
            f"{left} can still be credited.",
            param="amount",
        )


def _split(invoice: Document, total: int, given: Given) -> _Split:
    """First what is still owed; the excess has to be covered by what the caller says it is given back as."""
    pre = min(total, invoice["amount_remaining"])
    post = total - pre
    refunded = sum(refund.get("amount_refunded", 0) for refund in given.get("refunds", ()))
    covered = refunded + sum(given.get(name, 0) for name in ("refund_amount", "credit_amount", "out_of_band_amount"))
    if covered != post:
        raise Refusal(
            f"The sum of credit amount, refund amount and out of band amount ({covered}) must equal the post "
            f"payment credit note amount ({post}).",
            param="amount",
        )
    return _Split(pre, post)


def _refunds(account: Account, given: Given) -> list[dict[str, Any]]:
    made = [
        {"amount_refunded": each.get("amount_refunded", 0), "refund": each.get("refund")}
        for each in given.get("refunds", ())
    ]
    if given.get("refund_amount"):
        made.append({"amount_refunded": given["refund_amount"], "refund": account.new_id("refund")})
    return [{**each, "payment_record_refund": None, "type": "refund"} for each in made]


def _apply(account: Account, invoice: Document, split: _Split) -> None:
    """Take the credit off the invoice; one that owes nothing any more is paid."""
    after = account.change(
        invoice,
        {
            "amount_due": invoice["amount_due"] - split.pre,
            "amount_remaining": invoice["amount_remaining"] - split.pre,
            "pre_payment_credit_notes_amount": invoice["pre_payment_credit_notes_amount"] + split.pre,
            "post_payment_credit_notes_amount": invoice["post_payment_credit_notes_amount"] + split.post,
        },
        event="invoice.updated",
    )
    if after["status"] in ("open", "uncollectible") and after["amount_remaining"] == 0:
        settle(account, after)


def _update(call: Call) -> dict[str, Any]:
    account, note = call.account, call.account.fetch("credit_note", call.ids["id"])
    fields = kept(call.given, "memo")
    if "metadata" in call.given:
        fields["metadata"] = merged(note["metadata"], call.given["metadata"])
    return shown(account, account.change(note, fields, event="credit_note.updated"))


def _void(call: Call) -> dict[str, Any]:
    account, note = call.account, call.account.fetch("credit_note", call.ids["id"])
    invoice = account.fetch("invoice", note["invoice"])
    if note["status"] == "void" or note["type"] != "pre_payment" or invoice["status"] != "open":
        raise Refusal("You can only void an issued credit note on an open invoice.")
    fields = {"status": "void", "voided_at": account.now()}
    after = account.change(note, fields, event="credit_note.voided")
    _apply(account, invoice, _Split(-note["pre_payment_amount"], 0))
    return shown(account, after)


def _lines(call: Call) -> dict[str, Any]:
    note = call.account.fetch("credit_note", call.ids["id"])
    return paged(note["lines"]["data"], call, url=note["lines"]["url"], kind="credit_note_line_item")


_RULE = "/v1/credit_notes/<id>"

ROUTES = (
    Route("POST", "/v1/credit_notes", _create, _CREATE, ("invoice",)),
    Route("GET", "/v1/credit_notes/preview", _preview, _CREATE, ("invoice",)),
    retrieving("credit_note", _RULE),
    Route("POST", _RULE, _update, {"memo": Text(), "metadata": Metadata()}),
    Route("POST", f"{_RULE}/void", _void),
    Route("GET", f"{_RULE}/lines", _lines, PAGING),
    Listing(
        "credit_note",
        "/v1/credit_notes",
        {"customer": reference("customer"), "invoice": reference("invoice")},
    ).route(),
)
