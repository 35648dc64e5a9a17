"""What has to hold of the loop's own conduct: what it sent, in which order, and what it told people of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from sync_pipelines.testing.simulation import books
from sync_pipelines.testing.simulation.books import Paper
from sync_pipelines.testing.simulation.life import Ended
from sync_pipelines.testing.simulation.line import Asked
from sync_pipelines.testing.simulation.world import BEGINNING, World, rows

_MODELS = {"invoice": "account.invoice", "order": "sale.sale"}
_COUNTED = ("salesforce", "tryton")
"""Systems that count exactly, so that a full run proves each of their objects."""
_LEFT_TO_PEOPLE = {("customer", "ecc", "number differs")}
"""What a system can't change though it may be written: an ECC knows a customer by its number."""


# What was sent


def every_call_was_announced(world: World, ended: Ended) -> Iterator[str]:
    """When a write left, the ledger already said that it was about to."""
    attempts = world.planes.ledger_rows(
        "SELECT target, started_at, ended_at FROM ledger.attempts JOIN ledger.writes USING (write_id)"
    )
    for asked in world.traffic.log:
        if asked.is_write and not any(
            each["target"] == asked.system
            and each["started_at"] <= asked.at
            and (each["ended_at"] is None or asked.at <= each["ended_at"])
            for each in attempts
        ):
            yield f"request {asked.number} left without an attempt on record: {asked}"


def strangers_are_not_asked(world: World, ended: Ended) -> Iterator[str]:
    """Once another organisation answers, it is asked who it is, and nothing else."""
    for system, since in world.strangers:
        for asked in world.traffic.log[since:]:
            is_read = asked.path.endswith("/composite") or ("query" in asked.path and "Organization" not in asked.path)
            is_business = asked.is_write or is_read
            if asked.system == system and asked.run <= len(world.story.modes) and is_business:
                yield f"another organisation behind {system} was asked: {asked}"
                return


def closed_months_are_not_tried(world: World, ended: Ended) -> Iterator[str]:
    """What was closed when an apply began is not sent by it, whatever the ERP would say."""
    for asked in world.traffic.log:
        begun = max((number for number in world.applies if number < asked.number), default=None)
        if begun is None or not any(key.startswith("account.invoice ") for key in asked.keys):
            continue
        for values in _created(asked):
            if values.get("company") == -1:  # of an entity without books here, whose months nobody tells
                continue
            month = str(values.get("accounting_date") or values.get("invoice_date"))[:7]
            states = [state for number, name, state in world.closings if name == month and number <= begun]
            if states and states[-1] != "open":
                yield f"invoice {values.get('reference')} was sent into {month}, which was {states[-1]}"


def documents_name_their_customer(world: World, ended: Ended) -> Iterator[str]:
    """A document waits until its customer is in the ERP."""
    for asked in world.traffic.log:
        for values in _created(asked):
            if values.get("party") == -1:
                yield f"{values.get('reference')} was sent without a customer, request {asked.number}"


def _created(asked: Asked) -> list[Mapping[str, Any]]:
    """The records that a request to the ERP is to create."""
    if asked.system != "tryton" or not asked.is_write or not asked.path.endswith(".create"):
        return []
    first = json.loads(asked.body)["params"][0]
    return [each for each in first if isinstance(each, dict)] if isinstance(first, list) else []


def nothing_is_overwritten_unseen(world: World, ended: Ended) -> Iterator[str]:
    """A record that somebody else changed is read again before we change it."""
    for since, system, record_id in world.edits:
        for asked in world.traffic.log[max(0, since - 1) :]:
            if asked.system != system:
                continue
            if asked.is_write and asked.number > since and asked.is_clear and not asked.is_refused:
                if record_id in _updated(asked):
                    yield f"{system} {record_id} was overwritten unseen, request {asked.number}"
                    break
            elif not asked.is_write and asked.is_clear and _shows(asked, record_id):
                break


def _updated(asked: Asked) -> set[str]:
    """The ids of the records that a request changes."""
    if asked.system == "stripe":
        return {asked.path.partition("?")[0].split("/")[-1]}
    if asked.system != "tryton" or not asked.path.endswith(".write"):
        return set()
    model = asked.path.removeprefix("model.").removesuffix(".write")
    return {f"{model},{each}" for ids in json.loads(asked.body)["params"][:-1:2] for each in ids}


def _shows(asked: Asked, record_id: str) -> bool:
    model, _, key = record_id.rpartition(",")
    is_its_own = asked.path.startswith(f"model.{model}.") if model else True
    return is_its_own and re.search(rf'"id":\s*"?{re.escape(key)}\b', asked.answer.decode()) is not None


# What was written, and what people were told


def what_we_wrote_is_right(world: World, ended: Ended) -> Iterator[str]:
    """A document of ours is what its owner says, to the cent and to the day and in the books that it belongs to."""
    if "invoice" in world.story.domains:
        yield from _wrong(world, "invoice", books.billed(world), books.posted(world))
    if "order" in world.story.domains:
        yield from _wrong(world, "order", books.won(world), books.sold(world))
    for customer in rows(world, "stripe", "customer"):
        is_ours = ("stripe", "customer", customer["id"]) not in world.by_hand
        if is_ours and customer["created"] >= BEGINNING.timestamp() and not customer["metadata"].get("sync_id"):
            yield f"customer {customer['id']} was created without an external id"


def _wrong(world: World, domain: str, leading: list[Paper], following: list[Paper]) -> Iterator[str]:
    leads = {paper.number: paper for paper in leading}
    for paper in following:
        lead = leads.get(paper.number)
        if lead and not lead.legal_entity:  # a credit note is of its invoice's
            lead = replace(lead, legal_entity=paper.legal_entity)
        if lead is None or paper.is_by_hand or ("tryton", _MODELS[domain], paper.record_id) in world.seeded:
            continue
        ours, theirs = ((p.amount_minor, p.currency, p.on, p.legal_entity) for p in (paper, lead))
        if ours != theirs:
            yield f"{domain} {paper.number} was written as {ours}, but it is {theirs}"


def nothing_is_just_missing(world: World, ended: Ended) -> Iterator[str]:
    """What may be written and is not there has a reason: that it is not there is none."""
    for item in world.planes.ledger_rows(
        "SELECT domain, system, record_id, label, reason FROM ledger.work_items"
        " WHERE resolved_at IS NULL AND kind IN ('missing', 'differs') ORDER BY item_id"
    ):
        settings = world.topology.domains.get(item["domain"])
        if settings is None:
            continue
        may_create, may_update = item["system"] in settings.create, item["system"] in settings.update
        reasons = set(str(item["reason"]).split("; "))
        if may_create and f"not in {item['system']}" in reasons:
            yield f"{item['domain']} {item['label']} is missing in {item['system']}, and nobody knows why"
        reasons = {each for each in reasons if (item["domain"], item["system"], each) not in _LEFT_TO_PEOPLE}
        if "customer differs" in reasons and _customer_is_unclear(world, item):
            reasons.remove("customer differs")
        if may_update and any(reason.endswith(" differs") for reason in reasons):
            yield f"{item['domain']} {item['label']}: {item['reason']} in {item['system']}, and nobody knows why"


def _customer_is_unclear(world: World, item: Mapping[str, Any]) -> bool:
    """Whether somebody is asked who the customer of a record is: until that is said, it can't be the right one."""
    asked = world.planes.ledger_rows(
        "SELECT system, record_id FROM ledger.work_items"
        " WHERE resolved_at IS NULL AND domain = 'customer' AND kind = 'ambiguous'"
    )
    unclear = {each["record_id"] for each in asked if each["system"] == item["system"]}
    table = f"lake.{item['domain']}_{item['system']}"
    customers = world.planes.lake_rows(f"SELECT customer FROM {table} WHERE record_id = '{item['record_id']}'")
    return any(customer in unclear for (customer,) in customers)


def orphans_are_told(world: World, ended: Ended) -> Iterator[str]:
    """What hangs on an account that is deleted or merged away is somebody's work."""
    if "customer" not in world.story.domains:
        return
    gone = {a["Id"] for a in rows(world, "salesforce", "Account") if a["IsDeleted"]}
    told = world.planes.ledger_rows(
        "SELECT record_id FROM ledger.work_items WHERE resolved_at IS NULL AND domain = 'customer'"
    )
    alive = {party.record_id for party in (*books.parties(world), *books.payers(world))}
    for row in world.planes.ledger_rows(
        "SELECT o.system, o.record_id, l.record_id AS account FROM ledger.links o JOIN ledger.links l USING (link_id)"
        " WHERE o.until IS NULL AND l.until IS NULL AND o.domain = 'customer' AND l.system = 'salesforce'"
        " AND o.system <> 'salesforce' ORDER BY 1, 2"
    ):
        is_told = row["record_id"] in {each["record_id"] for each in told}
        if row["account"] in gone and row["record_id"] in alive and not is_told:
            yield f"{row['system']} {row['record_id']} hangs on the account {row['account']}, which is gone, untold"


def extractions_are_complete(world: World, ended: Ended) -> Iterator[str]:
    """The last run has proven that it read everything, wherever that can be proven."""
    for row in world.planes.ledger_rows(
        "SELECT subject, result, reason FROM ledger.check_results WHERE name = 'complete'"
        f" AND run_id LIKE 'run-calm-{ended.runs}-%' ORDER BY subject"
    ):
        is_counted = row["subject"].partition("/")[0] in _COUNTED
        if row["result"] == "failed" or (is_counted and row["result"] != "passed"):
            yield f"{row['subject']} is not proven to be complete: {row['reason']}"


JUDGES = (
    every_call_was_announced,
    strangers_are_not_asked,
    closed_months_are_not_tried,
    documents_name_their_customer,
    nothing_is_overwritten_unseen,
    what_we_wrote_is_right,
    nothing_is_just_missing,
    orphans_are_told,
    extractions_are_complete,
)
