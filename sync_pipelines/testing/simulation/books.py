"""What the systems hold in the end, read from their stores alone: no part of the engine is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sync_pipelines.testing.simulation import others as beside
from sync_pipelines.testing.simulation.world import World, rows

ZONE = ZoneInfo("America/New_York")
"""Of the only legal entity."""

POSTED = ("open", "paid", "uncollectible")
_DIGITS = {"JPY": 0, "KWD": 3}
_COMPANY = "company.company"


@dataclass(frozen=True, slots=True)
class Paper:
    """A business document as one system holds it."""

    system: str
    record_id: str
    number: str
    currency: str
    amount_minor: int
    on: str = ""
    """Its business date, where that is known."""
    is_by_hand: bool = False
    legal_entity: str = ""


@dataclass(frozen=True, slots=True)
class Party:
    """A customer as one system holds it."""

    system: str
    record_id: str
    number: str
    name: str
    external_id: str = ""


def minor(amount: Any, currency: str) -> int:
    """An amount in minor units; half units are away from zero as books have it."""
    return int((Decimal(str(amount)) * 10 ** _DIGITS.get(currency, 2)).quantize(Decimal(1)))


def exact(amount: Any) -> Decimal:
    """An amount as the ERP keeps it."""
    return Decimal(str(amount or 0))


def billed(world: World) -> list[Paper]:
    """What billing has issued and not voided: invoices, and credit notes as negative amounts."""
    invoices = [
        Paper(
            *("stripe", i["id"], i["number"], i["currency"].upper(), i["total"], _day(i, _finalized(i))),
            legal_entity=i["metadata"].get("legal_entity", ""),
        )
        for i in rows(world, "stripe", "invoice")
        if i["status"] in POSTED
    ]
    notes = [
        Paper("stripe", n["id"], n["number"], n["currency"].upper(), -n["total"], _day(n, n["created"]))
        for n in rows(world, "stripe", "credit_note")
        if n["status"] == "issued"
    ]
    return invoices + notes


def _finalized(invoice: Mapping[str, Any]) -> int:
    return int(invoice["status_transitions"]["finalized_at"] or invoice["created"])


def _day(document: Mapping[str, Any], otherwise: int) -> str:
    return datetime.fromtimestamp(document["effective_at"] or otherwise, ZONE).date().isoformat()


def posted(world: World) -> list[Paper]:
    """The ERP's customer invoices that are in the books, without those that balance a voided one."""
    held = [r for r in rows(world, "tryton", "account.invoice") if r["type"] == "out"]
    balancing = {r["cancel_move"] for r in held if r["state"] == "cancelled" and r["cancel_move"]}
    found = [r for r in held if r["state"] in ("posted", "paid") and r["move"] not in balancing]
    return [_entered(world, "account.invoice", row, row["total_amount_cache"]) for row in found]


def drafted(world: World) -> list[Paper]:
    """The ERP's customer invoices that somebody began and nobody posted."""
    found = [r for r in rows(world, "tryton", "account.invoice") if r["state"] in ("draft", "validated")]
    return [_entered(world, "account.invoice", row, 0) for row in found]


def won(world: World) -> list[Paper]:
    """The CRM's won deals that have an order number."""
    return [
        Paper(
            "salesforce",
            o["Id"],
            o["Order_Number__c"],
            o["CurrencyIsoCode"],
            minor(o["Amount"] or 0, o["CurrencyIsoCode"]),
            o["CloseDate"],
            legal_entity=o["Legal_Entity__c"] or "",
        )
        for o in rows(world, "salesforce", "Opportunity")
        if o["IsWon"] and not o["IsDeleted"] and o["Order_Number__c"]
    ]


def sold(world: World) -> list[Paper]:
    """The ERP's sales that are not cancelled."""
    sales = [r for r in rows(world, "tryton", "sale.sale") if r["state"] != "cancelled"]
    return [_entered(world, "sale.sale", row, _net(world, row)) for row in sales]


def _net(world: World, sale: Mapping[str, Any]) -> Decimal:
    lines = [line for line in rows(world, "tryton", "sale.line") if line["sale"] == sale["id"]]
    rounding = Decimal(1).scaleb(-_DIGITS.get(_currency(world, sale), 2))
    each = [
        Decimal(str(line["quantity"])) * Decimal(str(line["unit_price"])) for line in lines if line["type"] == "line"
    ]
    return sum((amount.quantize(rounding) for amount in each), Decimal(0))


def _entered(world: World, model: str, row: Mapping[str, Any], amount: Any) -> Paper:
    currency = _currency(world, row)
    return Paper(
        "tryton",
        str(row["id"]),
        str(row["reference"] or row["number"] or ""),
        currency,
        minor(amount or 0, currency),
        str(row.get("invoice_date") or row.get("sale_date") or ""),
        is_by_hand=("tryton", model, str(row["id"])) in world.by_hand,
        legal_entity=_legal_entity(world, row),
    )


def _legal_entity(world: World, row: Mapping[str, Any]) -> str:
    """Whose books a document is in: the code of the company's party."""
    store = world.boxes["tryton"].store
    company = store.get(_COMPANY, str(row["company"]))
    party = store.get("party.party", str(company["party"])) if company else None
    return str(party["code"]) if party else ""


def _currency(world: World, row: Mapping[str, Any]) -> str:
    held = world.boxes["tryton"].store.get("currency.currency", str(row["currency"]))
    return str(held["code"]) if held else ""


def accounts(world: World) -> list[Party]:
    """The CRM's live accounts that are customers."""
    return [
        Party("salesforce", a["Id"], a["AccountNumber"] or "", a["Name"])
        for a in rows(world, "salesforce", "Account")
        if not a["IsDeleted"] and a["Active__c"]
    ]


def parties(world: World) -> list[Party]:
    """The ERP's parties, without the company and its employees."""
    own = {row["party"] for model in (_COMPANY, "company.employee") for row in rows(world, "tryton", model)}
    found = [row for row in rows(world, "tryton", "party.party") if row["id"] not in own]
    return [Party("tryton", str(row["id"]), row["code"] or "", row["name"]) for row in found]


def payers(world: World) -> list[Party]:
    """Billing's customers."""
    return [
        Party(
            "stripe",
            c["id"],
            c["metadata"].get("customer_number", ""),
            c["name"] or "",
            c["metadata"].get("sync_id", ""),
        )
        for c in rows(world, "stripe", "customer")
        if not c.get("deleted")
    ]


def others(world: World, system: str) -> list[Party]:
    """The customers of a system beside the three."""
    found = beside.held(world, system, "customer")
    return [Party(system, str(row[each.key]), each.number(row) or "", each.name(row) or "") for each, row in found]


def twice(world: World) -> Iterator[tuple[str, str, list[str]]]:
    """Business records that one system has more than once and people did not make so: table, key, ids."""
    for table, papers in (("account.invoice", posted(world) + drafted(world)), ("sale.sale", sold(world))):
        yield from _repeated(table, [(p.number, p.record_id) for p in papers if not p.is_by_hand])
    by_hand = {(system, number) for system, _, number in world.by_hand}
    yield from _repeated(
        "party.party", [(p.number, p.record_id) for p in parties(world) if ("tryton", p.record_id) not in by_hand]
    )
    yield from _repeated("customer", [(p.external_id, p.record_id) for p in payers(world)])
    yield from _repeated(
        "product.template", [(t["code"] or "", str(t["id"])) for t in rows(world, "tryton", "product.template")]
    )
    granted = [e for e in rows(world, "salesforce", "Entitlement") if not e["IsDeleted"]]
    yield from _repeated("Entitlement", [(e["Sync_Id__c"] or "", e["Id"]) for e in granted])


def _repeated(table: str, keyed: list[tuple[str, str]]) -> Iterator[tuple[str, str, list[str]]]:
    found: dict[str, list[str]] = {}
    for key, record_id in keyed:
        found.setdefault(key, []).append(record_id)
    yield from ((table, key, ids) for key, ids in found.items() if key and len(ids) > 1)
