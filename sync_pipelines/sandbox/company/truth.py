"""The truth as tables, for tests to compare with; no part of the engine reads them.

One table a domain, and beside them `defects` (what was planted), `totals` (count and sum in each system
once all that is mendable is mended) and `ignored` (records that must not become business records).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sync_pipelines.domains import DOMAINS, Kind
from sync_pipelines.sandbox.company import defects as kind
from sync_pipelines.sandbox.company.catalog import CURRENCIES
from sync_pipelines.sandbox.company.ids import Ids
from sync_pipelines.sandbox.company.model import Facts
from sync_pipelines.sandbox.company.record import Record, records
from sync_pipelines.sandbox.company.salesforce import entry_id

Row = dict[str, Any]

_TYPES: Mapping[Kind, pa.DataType] = {
    Kind.FLAG: pa.bool_(),
    Kind.DATE: pa.date32(),
    Kind.MONEY: pa.int64(),
    Kind.QUANTITY: pa.decimal128(18, 4),
}
_TEXT, _TEXTS, _WHOLE = pa.string(), pa.list_(pa.string()), pa.int64()

DEFECTS = pa.schema(
    [
        ("kind", _TEXT),
        ("domain", _TEXT),
        ("key", _TEXT),
        ("systems", _TEXTS),
        ("record_ids", _TEXTS),
        ("mendable", pa.bool_()),
        ("owner", _TEXT),
        ("amount_minor", _WHOLE),
        ("currency", _TEXT),
        ("meaning", _TEXT),
    ]
)
"""`record_ids` are "<system>/<id>"; in the ERP the id is a party's code, a SKU or a reference."""

TOTALS = pa.schema(
    [
        ("domain", _TEXT),
        ("system", _TEXT),
        ("legal_entity", _TEXT),
        ("period", _TEXT),
        ("currency", _TEXT),
        ("count", _WHOLE),
        ("sum_minor", _WHOLE),
    ]
)
IGNORED = pa.schema([(name, _TEXT) for name in ("domain", "system", "object", "record_id", "reason")])


def domain_schema(domain: str) -> pa.Schema:
    """Columns of a domain's table.

    `salesforce_id`, `stripe_id` and `tryton_key` say where the record is at the start, null where it is
    absent. The domain's fields hold what every system should show in the end, references as customer
    number and SKU. `expected` is "agrees", "mended" or "exception", the last with its `owner`.
    `differs` lists what is missing or other at the start ("tryton", "stripe.name").
    """
    names = ("key", "salesforce_id", "stripe_id", "tryton_key")
    fields = [(field.name, _TYPES.get(field.kind, _TEXT)) for field in DOMAINS[domain].fields]
    ends = [("expected", _TEXT), ("defect", _TEXT), ("owner", _TEXT), ("differs", _TEXTS)]
    return pa.schema([*((name, _TEXT) for name in names), *fields, *ends])


def tables(facts: Facts) -> dict[str, pa.Table]:
    """Every table by name."""
    by_domain = records(facts)
    made = {
        domain: pa.Table.from_pylist([_row(record) for record in kept], schema=domain_schema(domain))
        for domain, kept in by_domain.items()
    }
    everything = [record for kept in by_domain.values() for record in kept]
    made["defects"] = pa.Table.from_pylist([_defect(r) for r in everything if r.defect], schema=DEFECTS)
    made["totals"] = pa.Table.from_pylist(list(_totals(by_domain)), schema=TOTALS)
    made["ignored"] = pa.Table.from_pylist(list(_ignored(facts)), schema=IGNORED)
    return made


def write(made: Mapping[str, pa.Table], folder: Path) -> list[Path]:
    """One Parquet file a table; the same tables give the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, table in made.items():
        paths.append(folder / f"{name}.parquet")
        pq.write_table(table, paths[-1])
    return paths


def _row(record: Record) -> Row:
    return {
        "key": record.key,
        "salesforce_id": record.salesforce_id,
        "stripe_id": record.stripe_id,
        "tryton_key": record.tryton_key,
        **record.values,
        "expected": record.expected,
        "defect": record.defect.name if record.defect else None,
        "owner": record.defect.owner if record.defect and record.expected == "exception" else None,
        "differs": list(record.differs),
    }


def _defect(record: Record) -> Row:
    what = record.defect
    assert what is not None
    ids = {"salesforce": record.salesforce_id, "stripe": record.stripe_id, "tryton": record.tryton_key}
    return {
        "kind": what.name,
        "domain": record.domain,
        "key": record.key,
        "systems": list(what.systems) or sorted({name.split(".")[0] for name in record.differs}),
        "record_ids": [*(f"{system}/{held}" for system, held in ids.items() if held), *record.also],
        "mendable": what.mendable,
        "owner": what.owner,
        "amount_minor": record.stake_minor,
        "currency": record.values.get("currency") if record.stake_minor is not None else None,
        "meaning": what.meaning,
    }


_COUNTED = {
    "order": ("salesforce", "ordered_on", "net_minor"),
    "invoice": ("stripe", "issued_on", "total_minor"),
}
"""The system beside the ERP, the date and the amount of each domain with control totals."""


def _totals(by_domain: Mapping[str, Sequence[Record]]) -> Iterator[Row]:
    for domain, (leader, dated, amount) in _COUNTED.items():
        counts: Counter[tuple[str, str, str, str]] = Counter()
        sums: Counter[tuple[str, str, str, str]] = Counter()
        for record in by_domain[domain]:
            values = record.values
            for system in _systems(record, leader):
                period = f"{values[dated]:%Y-%m}"
                group = (system, values["legal_entity"], period, values["currency"])
                counts[group] += 1
                here = record.tryton_minor if system == "tryton" else None
                sums[group] += values[amount] if here is None else here
        for group in sorted(counts):
            yield dict(zip(TOTALS.names, (domain, *group, counts[group], sums[group]), strict=True))


def _systems(record: Record, leader: str) -> list[str]:
    """Where a document counts in the end; one that can't be read counts nowhere."""
    if record.defect is kind.BAD_ORDER:
        return []
    leads = record.stripe_id if leader == "stripe" else record.salesforce_id
    return [leader] * bool(leads) + ["tryton"] * (bool(record.tryton_key) or record.expected == "mended")


def _ignored(facts: Facts) -> Iterator[Row]:
    """What exists in a system and is no business record of its own."""
    ids = Ids(facts.seed)
    for passed in _passed_over(facts, ids):
        yield dict(zip(IGNORED.names, passed, strict=True))


def _passed_over(facts: Facts, ids: Ids) -> Iterable[tuple[str, str, str, str, str]]:
    for customer in facts.customers:
        if customer.is_lost:
            yield "customer", "salesforce", "Account", customer.account_id, "merged into another account"
    for product in facts.products:
        for currency in CURRENCIES:
            entry = entry_id(ids, product, currency, standard=True)
            yield "pricing", "salesforce", "PricebookEntry", entry, "in the standard book, not in a list"
    for pursuit in facts.pursuits:
        yield "order", "salesforce", "Opportunity", pursuit.opportunity_id, "not won"
    for deal in facts.deals:
        if deal.is_drafted:
            yield "invoice", "stripe", "invoice", ids.stripe("invoice", "draft", deal.number), "a draft"
        for line in deal.lines:
            if line.is_negotiated:
                yield "pricing", "stripe", "price", line.price_id, "made for one deal"
        for line in deal.recurring if deal.contract and deal.contract.has_ended else ():
            yield "entitlement", "stripe", "subscription_item", line.item_id, "of a subscription that has ended"
