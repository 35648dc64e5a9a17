"""Fills an org with complete rows at once, as an organisation that has existed for years."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sync_pipelines.sandbox.salesforce import derived
from sync_pipelines.sandbox.salesforce.bin import DELETE_LOG
from sync_pipelines.sandbox.salesforce.ids import as_long_id, long_id, number_of
from sync_pipelines.sandbox.salesforce.schema import NUMERIC, Object, Schema, load_schema
from sync_pipelines.sandbox.salesforce.value import number
from sync_pipelines.sandbox.store import Document, Store

_BORN = "2026-01-01T00:00:00.000+0000"


def seed(store: Store, rows: Mapping[str, Iterable[Document]], *, schema: Schema | None = None) -> dict[str, int]:
    """Load rows by object; they carry `Id` (make it with `record_id`) and should carry `SystemModstamp`.

    Nothing is validated. What a row lacks is filled in: defaults, stamps, and what Salesforce derives
    (an opportunity's `Amount` from its lines, `IsWon`, `EndDate`, a line's `TotalPrice`). A row with
    `IsDeleted` goes to the recycle bin and the delete log. Returns the number of rows by object.
    """
    schema = schema or load_schema()
    loaded: dict[str, int] = {}
    for name, given in rows.items():
        thing = schema.objects[name]
        documents = [_document(schema, thing, row) for row in given]
        loaded[name] = store.load(name, [(document["Id"], document) for document in documents])
        _remember(store, thing, documents)
    if {"Opportunity", "OpportunityLineItem"} & rows.keys():
        _roll_up(store, {row["Id"] for row in rows.get("Opportunity", ()) if "Amount" in row})
    return loaded


def found(store: Store, schema: Schema) -> None:
    """The two records that every org has, itself and its integration user, unless they are there."""
    organization = schema.organization
    dates = {"CreatedDate": _BORN, "LastModifiedDate": _BORN, "SystemModstamp": _BORN, "IsDeleted": False}
    if not store.count("Organization"):
        id = long_id(organization.id)  # noqa: A001 (the vendor's name)
        kind = {"OrganizationType": "Enterprise Edition", "InstanceName": "USA1", "IsSandbox": False}
        zone = {"LanguageLocaleKey": "en_US", "TimeZoneSidKey": "America/New_York"}
        store.load("Organization", {id: {"Id": id, "Name": organization.name, **kind, **zone, **dates}})
    if store.get("User", schema.user_id) is None:
        who = {"Name": "Integration User", "Username": "integration@meridian.example", "IsActive": True}
        store.load("User", {schema.user_id: {"Id": schema.user_id, **who, **dates}})


def _document(schema: Schema, thing: Object, given: Document) -> dict[str, Any]:
    at = given.get("SystemModstamp") or _BORN
    numeric = thing.of_type(*NUMERIC)
    told = {**given, "Id": as_long_id(given["Id"]) or given["Id"]}
    told |= {name: number(thing.fields[name], told[name]) for name in numeric if told.get(name) is not None}
    who = {"CreatedById": schema.user_id, "LastModifiedById": schema.user_id}
    when = {"CreatedDate": at, "LastModifiedDate": at, "SystemModstamp": at}
    row = {"IsDeleted": False, **thing.defaults, **who, **when, **told}
    derived.derive(schema, thing.name, row, sent=frozenset(given), today=at[:10])
    if row["IsDeleted"]:
        row.setdefault("_cause", row["Id"])
    return {**row, **told}


def _remember(store: Store, thing: Object, documents: list[dict[str, Any]]) -> None:
    """Counters go on after the seeded numbers; the delete log knows the seeded deletes."""
    highest = max((number_of(row["Id"]) for row in documents), default=0)
    store.set_meta(f"id {thing.name}", max(highest, store.meta(f"id {thing.name}", 0)))
    for field in thing.fields.values():
        if field.auto_number:
            numbers = [int(row[field.name]) for row in documents if str(row.get(field.name)).isdigit()]
            key = f"number {thing.name}.{field.name}"
            store.set_meta(key, max([store.meta(key, 0), *numbers]))
    gone = [row for row in documents if row["IsDeleted"]]
    logged = {"object": thing.name}
    store.load(
        DELETE_LOG,
        [(row["Id"], {**logged, "id": row["Id"], "deletedDate": row["SystemModstamp"]}) for row in gone],
    )


def _roll_up(store: Store, told: set[str]) -> None:
    """Amounts of opportunities with lines, except of those whose amount the seed told."""
    lines: dict[str, list[Document]] = {}
    for line in store.all("OpportunityLineItem"):
        if not line["IsDeleted"]:
            lines.setdefault(line["OpportunityId"], []).append(line)
    changed = []
    for opportunity_id, own in lines.items():
        row = store.get("Opportunity", opportunity_id)
        if row is not None:
            total = row.get("Amount") if opportunity_id in told else derived.amount(own)
            changed.append((opportunity_id, {**row, "Amount": total, "HasOpportunityLineItem": True}))
    store.load("Opportunity", changed)
