"""What the modules demand of their records, in their own words: what may change, what must be given."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from typing import Any

from sync_pipelines.sandbox.store import Document
from sync_pipelines.sandbox.tryton import derived
from sync_pipelines.sandbox.tryton.database import Database
from sync_pipelines.sandbox.tryton.fault import UserError
from sync_pipelines.sandbox.tryton.schema import Field, Model

UNIQUE: Mapping[tuple[str, str], str] = {
    ("party.party", "code"): "The code on party must be unique.",
    ("company.company", "party"): "The party of the company must be unique.",
}
"""Messages of constraints that hold over all records."""
ONCE: Mapping[str, str] = {
    "sale.line": "A tax can be added only once to a sale line.",
    "account.invoice.line": "A tax can be added only once to an invoice line.",
}
"""What is said of a line's taxes that are not there, and of those that are there twice."""
_INVOICE_FREE = frozenset(("state", "move", "cancel_move", "description", "comment", "lines", "reference"))
_LINE_FREE = frozenset(("note", "origin", "description"))
_TAX_FREE = frozenset(("description", "legal_notice"))
_UNCONFIRMED = ("draft", "quotation", "cancelled")


def check_create(database: Database, model: Model, row: Document) -> None:
    """Whether such a record may be made now."""
    kind = {"sale.line": "sale", "account.invoice.line": "invoice", "account.invoice.tax": "invoice"}.get(model.name)
    if kind is None:
        return
    parent = model.fields[kind].target
    above = database.find(parent, row[kind])
    if above is not None and above["state"] != "draft":
        name = derived.rec_name(database, parent, above)
        raise UserError(f'You cannot add lines to {kind} "{name}" because it is no longer in a draft state.')


def check_write(database: Database, model: Model, row: Document, fields: Collection[str]) -> None:
    """Whether these fields of a record may change now."""
    name = derived.rec_name(database, model.name, row)
    match model.name:
        case "account.invoice" if set(fields) - _INVOICE_FREE and not _is_modifiable(row):
            raise UserError(f'You cannot modify invoice "{name}" because it is posted, paid or cancelled.')
        case "account.invoice.line" if set(fields) - _LINE_FREE:
            _check_invoice(database, row, f'line "{name}"')
        case "account.invoice.tax" if set(fields) - _TAX_FREE:
            _check_invoice(database, row, f'tax "{name}"')
        case "account.move" if row["state"] == "posted":
            raise UserError(f'You cannot modify posted move "{name}".')


def check_moved(database: Database, model: Model, row: Document, values: Mapping[str, Any]) -> None:
    """Some children stay with the parent that they were born to."""
    stay = {"party.address": "address", "party.contact_mechanism": "contact mechanism"}
    if model.name in stay and values.get("party", row["party"]) != row["party"]:
        name = derived.rec_name(database, model.name, row)
        raise UserError(f'You cannot change the party of {stay[model.name]} "{name}".')
    if model.name == "product.product" and values.get("template", row["template"]) != row["template"]:
        name = derived.rec_name(database, model.name, row)
        raise UserError(f'You cannot change the template of the product "{name}".')


def check_delete(database: Database, model: Model, row: Document) -> None:
    check_write(database, model, row, {"id"})
    name = derived.rec_name(database, model.name, row)
    if model.name == "sale.sale" and row["state"] not in ("cancelled", "draft"):
        raise UserError(f'To delete sale "{name}" you must cancel it.')
    if model.name == "account.invoice":
        if row["state"] not in ("cancelled", "draft"):
            raise UserError(f'To delete invoice "{name}" you must cancel it.')
        if row["number"]:
            raise UserError(f'You cannot delete invoice "{name}" because it has a number.')
    if model.name == "sale.line":
        sale = database.get("sale.sale", row["sale"])
        if sale["state"] not in ("cancelled", "draft"):
            of = derived.rec_name(database, "sale.sale", sale)
            raise UserError(f'To delete line "{name}" you must cancel or reset to draft sale "{of}".')


def computed(database: Database, model: Model, row: Document, changed: Collection[str]) -> dict[str, Any]:
    """Values that follow from what was saved; where there are some, the record is stamped again."""
    match model.name:
        case "party.party" if "code" in changed:
            return {"code_alnum": _alnum(row["code"]), "code_digit": _digit(row["code"])}
        case "account.invoice" if "number" in changed:
            found = {"number_alnum": _alnum(row["number"]), "number_digit": _digit(row["number"])}
            return found if any(row[name] != value for name, value in found.items()) else {}
        case "party.contact_mechanism" if row["value_compact"] != row["value"]:
            return {"value_compact": row["value"]}
        case "party.address" if "street" in changed:
            return {"street": row["street"]}
        case "product.product":
            template = database.get("product.template", row["template"])
            code = f"{template['code'] or ''}{row['suffix_code'] or ''}" or None
            return {"code": code} if code != row["code"] else {}
    return {}


def implied(model: str, values: dict[str, Any]) -> None:
    """What the database fills in by itself, before a new record is looked at."""
    if model == "party.identifier":
        values["code_compact"] = values["code"]


def validate(database: Database, model: Model, row: Document) -> None:
    """A saved record must hold; the first thing that is wrong is told."""
    for name in _needed(model.name, row):
        if row[name] is None or row[name] == "":
            raise UserError(
                f'A value is required for field "{model.fields[name].label}"'
                f' in record "{derived.rec_name(database, model.name, row)}" of "{model.label}".'
            )
    for field in model.checked:
        if row[field.name] is not None:
            _validate_field(database, model, row, field)
    for name, value in _outside(database, model.name, row):
        raise UserError(
            f'The value "{value}" for field "{model.fields[name].label}"'
            f' in record "{derived.rec_name(database, model.name, row)}" of "{model.label}"'
            " is not valid according to its domain."
        )
    _check_product_code(database, model, row)


def _validate_field(database: Database, model: Model, row: Document, field: Field) -> None:
    value = row[field.name]
    if field.kind == "selection" and len(field.choices) > 1 and value not in field.choices:
        raise _invalid(database, model, row, field, "is not one of the allowed options.")
    if field.kind == "char" and any(letter in value for letter in "\t\n\r\x0b\x0c"):
        chars = ",".join(repr(letter) for letter in "\t\n\r\x0b\x0c" if letter in value)
        raise _invalid(database, model, row, field, f'contains some invalid chars "{chars}".')
    if field.kind == "numeric":
        _check_digits(database, model, row, field)
    unit = database.find("product.uom", row["unit"]) if field.name == "quantity" else None
    if unit is not None and round(value, unit["digits"]) != value:
        raise _digits(database, model, row, field, unit["digits"])


def _check_digits(database: Database, model: Model, row: Document, field: Field) -> None:
    if not field.digits:
        return
    if field.digits.isdigit():
        limit = int(field.digits)
    else:
        of = model.fields[field.digits]
        held = derived.value(database, model.name, row, of.name) if of.derived else row.get(of.name)
        currency = database.find("currency.currency", held)
        if currency is None:
            return
        limit = currency["digits"]
    exponent = Decimal(row[field.name]).as_tuple().exponent
    if isinstance(exponent, int) and exponent < -limit:
        raise _digits(database, model, row, field, limit)


def _invalid(database: Database, model: Model, row: Document, field: Field, why: str) -> UserError:
    name = derived.rec_name(database, model.name, row)
    return UserError(
        f'The value "{row[field.name]}" for field "{field.label}" in record "{name}" of "{model.label}" {why}'
    )


def _digits(database: Database, model: Model, row: Document, field: Field, limit: int) -> UserError:
    name, label = derived.rec_name(database, model.name, row), model.label
    if field.name == "list_price":  # the server keeps prices in a model of their own
        name, label = f"({row['id']})", "Product List Price"
    return UserError(
        f'The number of digits in the value "{str(row[field.name])!r}" for field "{field.label}"'
        f' in record "{name}" of "{label}" exceeds the limit of "(None, {limit})".'
    )


def _needed(model: str, row: Document) -> Iterator[str]:
    """Fields that a record must have in its present state."""
    match model:
        case "sale.sale" if row["state"] not in _UNCONFIRMED:
            yield from ("sale_date", "invoice_address")
        case "sale.line" | "account.invoice.line":
            if row["product"] is not None:
                yield "unit"
            if row["type"] == "line":
                yield from ("quantity", "unit_price") if model == "sale.line" else ("quantity", "account", "unit_price")
            if model == "account.invoice.line" and row["invoice"] is None:
                yield from ("invoice_type", "party")
        case "account.invoice":
            if row["state"] in ("posted", "paid"):
                yield "invoice_date"
            if row["state"] != "draft":
                yield "journal"
        case "product.template" if row["salable"]:
            yield "sale_uom"


def _outside(database: Database, model: str, row: Document) -> Iterator[tuple[str, str]]:
    """References that lead out of what their field allows, with the name of where they lead."""
    match model:
        case "sale.sale":
            yield from _foreign_address(database, row, "invoice_address", row["invoice_party"] or row["party"])
            yield from _foreign_address(database, row, "shipment_address", row["shipment_party"] or row["party"])
        case "account.invoice":
            yield from _foreign_address(database, row, "invoice_address", row["party"])
            yield from _of_another_kind(database, row)
            yield from _foreign_lines(database, row)
        case "sale.line" if row["product"] is not None and (row["quantity"] or 0) >= 0:
            product = database.get("product.product", row["product"])
            sale = database.get("sale.sale", row["sale"])
            if sale["state"] in ("draft", "quotation") and not derived.value(
                database, "product.product", product, "salable"
            ):
                yield "product", derived.rec_name(database, "product.product", product)
        case "product.template" if row["account_category"] is not None:
            category = database.get("product.category", row["account_category"])
            if not category["accounting"]:
                yield "account_category", category["name"]


def _foreign_address(database: Database, row: Document, field: str, party: int) -> Iterator[tuple[str, str]]:
    address = database.find("party.address", row[field])
    if address is not None and address["party"] != party:
        yield field, derived.rec_name(database, "party.address", address)


def _of_another_kind(database: Database, row: Document) -> Iterator[tuple[str, str]]:
    account = database.get("account.account", row["account"])
    if account["kind"] != ("receivable" if row["type"] == "out" else "payable") or account["closed"]:
        yield "account", derived.rec_name(database, "account.account", account)
    journal = database.find("account.journal", row["journal"])
    if journal is not None and journal["type"] != ("revenue" if row["type"] == "out" else "expense"):
        yield "journal", journal["name"]


def _foreign_lines(database: Database, row: Document) -> Iterator[tuple[str, str]]:
    lines = database.referring("account.invoice.line", "invoice", row["id"])
    same = ("company", "currency")
    if any(line[name] != row[name] for line in lines for name in same) or any(
        line["account"] == row["account"] for line in lines
    ):
        yield "lines", ", ".join(derived.rec_name(database, "account.invoice.line", line) for line in lines)


def _check_product_code(database: Database, model: Model, row: Document) -> None:
    if model.name != "product.product" or not row["active"] or not row["code"]:
        return
    same = database.referring(model.name, "code", row["code"])
    if sum(bool(other["active"]) for other in same) > 1:
        raise UserError("Code of active product must be unique.")


def _check_invoice(database: Database, row: Document, what: str) -> None:
    invoice = database.find("account.invoice", row["invoice"])
    if invoice is not None and not _is_modifiable(invoice):
        of = derived.rec_name(database, "account.invoice", invoice)
        raise UserError(f'You cannot modify {what} because its invoice "{of}" is posted, paid or cancelled.')


def _is_modifiable(invoice: Document) -> bool:
    numbered = invoice["move"] or invoice["cancel_move"] or invoice["number"]
    return not (invoice["state"] in ("posted", "paid") or (invoice["state"] == "cancelled" and numbered))


def _alnum(text: str | None) -> str | None:
    return None if text is None else re.sub(r"[\W_]", "", text)


def _digit(text: str | None) -> int | None:
    digits = re.sub(r"\D", "", text or "")[-18:]
    return int(digits) if digits else None
