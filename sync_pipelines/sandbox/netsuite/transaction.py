"""What saving a transaction does: amounts, taxes and totals, the period it falls into, and what it pays."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

from sync_pipelines.domains.money import exponent
from sync_pipelines.sandbox.netsuite.refusal import Broken, invalid
from sync_pipelines.sandbox.netsuite.schema import Record
from sync_pipelines.sandbox.store import Document

if TYPE_CHECKING:
    from sync_pipelines.sandbox.netsuite.books import Books

Row = dict[str, Any]
_OPEN, _PAID = "A", "B"
_PENDING_APPROVAL, _PENDING_FULFILMENT, _CLOSED = "A", "B", "H"
_BILLED = ("F", "G")
_APPLIES = ("creditMemo", "customerPayment")


def completed(books: Books, record: Record, row: Row, before: Document | None) -> Row:
    """The transaction with everything that follows from what was said, or the rule that it breaks."""
    if before is not None:
        withdraw(books, record, before)
    row = {**row, "type": record.code}
    if "customer" in record.fields and row.get("customer"):
        row["entity"] = row["customer"]
    row.setdefault("tranDate", books.now()[:10])
    _bind_customer(books, row)
    _number(books, record, row)
    _count(books, row)
    _check_changes(row, before)
    if record.posts:
        row["postingPeriod"] = _period(books, row)
    row["status"] = _order_status(row) if record.name == "salesOrder" else _OPEN
    if record.name in _APPLIES:
        _apply(books, record, row)
    elif record.name == "invoice":
        row["amountPaid"] = (before or {}).get("amountPaid", "0")
        row["status"] = _status(row)
    return row


def withdraw(books: Books, record: Record, row: Document) -> None:
    """Undo what a transaction paid, and refuse it where its period takes no change."""
    if record.posts:
        _check_open(books, row["postingPeriod"])
    for each in row.get("apply", ()):
        _pay(books, each["doc"], -Decimal(each["amount"]))


def transformed(books: Books, source: Record, row: Document, target: Record) -> Row:
    """What a new transaction takes over from the one that it is made of."""
    if (source.name, target.name) not in (
        ("salesOrder", "invoice"),
        ("invoice", "creditMemo"),
        ("invoice", "customerPayment"),
    ):
        raise invalid(f"A {source.name} can't be transformed to {target.name}.")
    if source.name == "invoice" and Decimal(row["total"]) <= Decimal(row["amountPaid"]):
        raise Broken("INVALID_INITIALIZE_REF", f"There is nothing left of invoice {row['id']}.")
    taken = ("entity", "subsidiary", "currency", "terms", "item", "taxDetails", "taxDetailsOverride")
    kept = {name: row[name] for name in taken if name in row and name in {**target.fields, "entity": 0}}
    if target.name == "customerPayment":
        return {**kept, "customer": row["entity"], "payment": str(_remaining(row)), "createdFrom": row["id"]}
    return {**kept, "createdFrom": row["id"]}


def _bind_customer(books: Books, row: Row) -> None:
    """The customer's subsidiary and currencies bind its transactions."""
    customer = books.store.get("customer", row.get("entity", ""))
    if customer is None:
        raise Broken("MISSING_REQD_FLD", "Please enter value(s) for: entity.", "entity")
    if customer.get("isInactive"):
        raise Broken("INVALID_KEY_OR_REF", f"Invalid reference key {row['entity']} for entity.", "entity")
    own = customer["subsidiary"]
    if row.setdefault("subsidiary", own) != own:
        raise Broken("SUBSIDIARY_MISMATCH", "The subsidiary does not match that of the customer.", "subsidiary")
    subsidiary = books.store.get("subsidiary", own) or {}
    first = customer.get("currency", subsidiary.get("currency"))
    allowed = {first, *(each["currency"] for each in customer.get("currencyList", ()))}
    if row.setdefault("currency", first) not in allowed:
        raise Broken("INVALID_CURRENCY_CODE", "The currency is not enabled for this customer.", "currency")


def _number(books: Books, record: Record, row: Row) -> None:
    if not row.get("tranId"):
        number = books.store.meta(f"number {record.name}", 0) + 1
        books.store.set_meta(f"number {record.name}", number)
        row["tranId"] = f"{books.schema.behaviour.numbers[record.name]}{number}"
    elif not books.schema.behaviour.duplicate_numbers:
        named = books.store.find("transaction", "tranId", row["tranId"])
        if any(other["id"] != row["id"] and other["recordType"] == record.name for other in named):
            raise Broken("DUP_TRANS", "The transaction number is already in use.", "tranId")


def _count(books: Books, row: Row) -> None:
    """Amounts of lines, taxes of invoices and credit memos, and the total."""
    if row["type"] == "CustPymt":
        row["total"] = row.get("payment", "0")
        return
    if not row.get("item"):
        raise Broken("USER_ERROR", "You must enter at least one line item for this transaction.", "item")
    places = exponent((books.store.get("currency", row["currency"]) or {})["symbol"])
    row["item"] = [_line(books, line, places) for line in row["item"]]
    net = sum((Decimal(line["amount"]) for line in row["item"]), Decimal(0))
    tax = sum((_tax(row, each, places) for each in row.get("taxDetails", ())), Decimal(0))
    row |= {"subtotal": str(net), "taxTotal": str(tax), "total": str(net + tax)}
    if net + tax < 0:
        raise Broken("USER_ERROR", "Transaction total cannot be negative.", "total")


def _line(books: Books, line: Row, places: int) -> Row:
    item = books.store.get("item", line.get("item", ""))
    if item is None or item.get("isInactive"):
        raise Broken("INVALID_KEY_OR_REF", f"Invalid reference key {line.get('item')} for item.", "item.items.item")
    quantity = Decimal(line.get("quantity") or 1)
    if line.get("amount") is None:
        rate = Decimal(line.get("rate") or 0)
        return {**line, "quantity": str(quantity), "amount": str(_rounded(quantity * rate, places))}
    amount = Decimal(line["amount"])
    if amount != _rounded(amount, places):
        raise invalid(f"The amount {amount} has more decimals than its currency.", "item.items.amount")
    return {**line, "quantity": str(quantity)}


def _tax(row: Row, tax: Row, places: int) -> Decimal:
    if not row.get("taxDetailsOverride"):
        raise Broken("USER_ERROR", "Tax details can be entered only with tax details override.", "taxDetailsOverride")
    if tax.get("taxDetailsReference") not in {line.get("taxDetailsReference") for line in row["item"]}:
        raise Broken("INVALID_KEY_OR_REF", "A tax detail refers to no line of the transaction.", "taxDetails")
    missing = [name for name in ("taxType", "taxCode", "taxAmount") if tax.get(name) is None]
    if missing:
        raise Broken("MISSING_REQD_FLD", f"Please enter value(s) for: {', '.join(missing)}.", "taxDetails")
    return _rounded(Decimal(tax["taxAmount"]), places)


def _rounded(amount: Decimal, places: int) -> Decimal:
    return amount.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def _check_changes(row: Row, before: Document | None) -> None:
    """Nothing that was paid or billed shrinks below it."""
    if before is None:
        return
    if Decimal(before.get("amountPaid", "0")) > Decimal(row["total"]):
        raise Broken("USER_ERROR", "The total is less than what was applied to this transaction.")
    if before["recordType"] == "salesOrder" and before["status"] in _BILLED:
        raise Broken("USER_ERROR", "A billed sales order can't be changed.")


def _period(books: Books, row: Row) -> str:
    """The period given, or the one in which the transaction's date falls; it has to be open."""
    given = row.get("postingPeriod")
    if given is None:
        day = row["tranDate"]
        fitting = [each for each in periods(books) if each["startDate"] <= day <= each["endDate"]]
        if not fitting:
            raise Broken("UNDEFINED_ACCTNG_PRD", f"The accounting period for {day} is not defined.", "tranDate")
        given = fitting[0]["id"]
    _check_open(books, given)
    return str(given)


def periods(books: Books) -> list[Document]:
    """Those that take transactions: no quarters, no years, no adjustments."""
    wide = ("isQuarter", "isYear", "isAdjust")
    return [row for row in books.store.all("accountingPeriod") if not any(row.get(name) for name in wide)]


def _check_open(books: Books, period: str) -> None:
    row = books.store.get("accountingPeriod", period) or {}
    if row.get("closed") or row.get("allLocked") or row.get("arLocked"):
        words = "You cannot post this transaction to a closed period: {0} is closed or locked."
        raise Broken("TRAN_PRD_CLOSED", words.format(row.get("periodName", period)), "tranDate")


def _order_status(row: Row) -> str:
    if all(line.get("isClosed") for line in row["item"]):
        return _CLOSED
    return str(row.get("orderStatus") or row.get("status") or _PENDING_FULFILMENT)


def _status(invoice: Document) -> str:
    return _OPEN if _remaining(invoice) > 0 else _PAID


def _remaining(invoice: Document) -> Decimal:
    return Decimal(invoice["total"]) - Decimal(invoice.get("amountPaid", "0"))


def _apply(books: Books, record: Record, row: Row) -> None:
    """Pay invoices of the same customer and currency, in the order of the list, as far as the total reaches."""
    left, applied = Decimal(row["total"]), []
    for each in row.get("apply") or ():
        if each.get("apply") is False:
            continue
        invoice = books.store.get("transaction", each["doc"]) or {}
        if invoice.get("recordType") != "invoice" or invoice["entity"] != row["entity"]:
            raise Broken("INVALID_KEY_OR_REF", f"Invalid reference key {each['doc']} for apply.", "apply")
        if invoice["currency"] != row["currency"]:
            raise Broken("MISMATCHED_CURRENCY", "The currencies of the two transactions differ.", "apply")
        amount = Decimal(each["amount"]) if each.get("amount") is not None else min(left, _remaining(invoice))
        if amount > left or amount > _remaining(invoice):
            raise Broken("USER_ERROR", "You cannot apply more than the total or what remains to be paid.", "apply")
        left -= amount
        if amount:
            applied.append({"doc": each["doc"], "apply": True, "amount": str(amount)})
            _pay(books, each["doc"], amount)
    row |= {"apply": applied, "unapplied": str(left), "status": _OPEN if left > 0 else _PAID}


def _pay(books: Books, identity: str, amount: Decimal) -> None:
    """The invoice's status moves, its time stamp doesn't."""
    invoice = books.store.get("transaction", identity)
    if invoice is not None:
        paid = {**invoice, "amountPaid": str(Decimal(invoice.get("amountPaid", "0")) + amount)}
        books.store.put("transaction", identity, {**paid, "status": _status(paid)})
