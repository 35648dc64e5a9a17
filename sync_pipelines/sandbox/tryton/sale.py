"""What the buttons of a sale do: quote, confirm, process, back to draft, cancel."""

from __future__ import annotations

from collections.abc import Sequence

from sync_pipelines.sandbox.store import Document
from sync_pipelines.sandbox.tryton import amount, derived, rule
from sync_pipelines.sandbox.tryton.database import Database
from sync_pipelines.sandbox.tryton.fault import UserError

SALE = "sale.sale"
LINE = "sale.line"
STATES = {
    "quote": ("draft",),
    "confirm": ("quotation",),
    "process": ("confirmed", "processing", "done"),
    "draft": ("cancelled", "quotation", "confirmed"),
    "cancel": ("draft", "quotation"),
}
"""In which states each button can be called."""


def press(database: Database, button: str, ids: Sequence[int], employee: int | None) -> None:
    """Change the state of sales together; `UserError` when one of them is in no state for it."""
    sales = [database.get(SALE, record_id) for record_id in ids]
    for sale in sales:
        empty = button == "quote" and not _lines(database, sale)
        if sale["state"] not in STATES[button] or empty:
            name = derived.rec_name(database, SALE, sale)
            raise UserError(f'You can not call "{button}" on "{name}" of "Sale".')
    match button:
        case "quote":
            _quote(database, sales, employee)
        case "confirm":
            for sale in sales:
                _confirm(database, sale, employee)
        case "process":
            for sale in sales:
                _process(database, sale)
        case "draft":
            no_totals = dict.fromkeys(("untaxed_amount_cache", "tax_amount_cache", "total_amount_cache"))
            for sale in sales:
                database.change(SALE, sale["id"], {"state": "draft", **no_totals})
        case _:
            for sale in sales:
                totals = derived.fresh_totals(database, SALE, sale)
                database.change(SALE, sale["id"], {"state": "cancelled", **amount.kept(totals)})
    for sale in sales:
        rule.validate(database, database.model(SALE), database.get(SALE, sale["id"]))


def _quote(database: Database, sales: Sequence[Document], employee: int | None) -> None:
    for sale in sales:
        if sale["invoice_address"] is None:
            name = derived.rec_name(database, SALE, sale)
            raise UserError(f'To get a quote for sale "{name}" you must enter an invoice address.')
    for sale in sales:
        given = {
            "state": "quotation",
            "quoted_by": employee,
            "quotation_date": sale["quotation_date"] or database.today(),
            "number": sale["number"] or str(database.next_number("sequence sale.sale")),
        }
        database.change(SALE, sale["id"], given)


def _confirm(database: Database, sale: Document, employee: int | None) -> None:
    totals = derived.fresh_totals(database, SALE, sale)
    dated = {"sale_date": sale["sale_date"] or database.today()}
    database.change(SALE, sale["id"], {"state": "confirmed", "confirmed_by": employee, **dated, **amount.kept(totals)})


def _process(database: Database, sale: Document) -> None:
    """Services that are invoiced by hand: nothing follows, but the sale waits for its invoice."""
    for line in _lines(database, sale):
        awaited = {"actual_quantity": 0.0, "quantity_to_invoice": line["quantity"]}
        if any(line[name] != value for name, value in awaited.items()):
            database.change(LINE, line["id"], awaited)
    if sale["state"] == "confirmed":
        database.change(SALE, sale["id"], {"state": "processing", "to_invoice": True})


def _lines(database: Database, sale: Document) -> list[Document]:
    return database.referring(LINE, "sale", sale["id"])
