"""What has to hold of what people decide about: nothing goes without their word, and their word is carried out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sync_pipelines.testing.simulation import books, staff
from sync_pipelines.testing.simulation.life import Ended
from sync_pipelines.testing.simulation.line import Asked
from sync_pipelines.testing.simulation.staff import APPROVED, EDITED, REJECTED, RELEASED
from sync_pipelines.testing.simulation.world import Worked, World, rows

LARGE_MINOR = 100_000_000
"""From this amount on a document needs a word, in any currency."""
_INVOICE, _SALE = "account.invoice", "sale.sale"


def approvals_come_first(world: World, ended: Ended) -> Iterator[str]:
    """Nothing that needs a person's word was sent without it, whatever the ledger says that it needed."""
    for row in world.planes.ledger_rows(
        "SELECT DISTINCT w.label, w.operation, team FROM ledger.writes w JOIN ledger.attempts a USING (write_id),"
        " unnest(string_to_array(w.approved_by_team, ' ')) team WHERE NOT EXISTS (SELECT 1 FROM ledger.approvals p"
        " WHERE p.write_id = w.write_id AND p.team = team AND p.decision = 'approved' AND p.at <= a.started_at)"
    ):
        yield f"the {row['operation']} of {row['label']} was sent without the word of {row['team']}"
    large = {row["reference"] for row in rows(world, "tryton", _INVOICE) if _is_large(world, row)}
    for asked in world.traffic.log:
        for model, record_id in _voided(asked):
            if _takes_a_word(world, model) and not _is_approved(world, asked, record_id=record_id):
                yield f"{model} {record_id} was voided without a word, request {asked.number}"
        for number in _made(asked) & large:
            if not _is_approved(world, asked, label=number):
                yield f"invoice {number} was made without a word, request {asked.number}"


def _is_large(world: World, row: Mapping[str, Any]) -> bool:
    currency = world.boxes["tryton"].store.get("currency.currency", str(row["currency"]))
    return currency is not None and books.minor(row["total_amount_cache"] or 0, currency["code"]) >= LARGE_MINOR


def _voided(asked: Asked) -> list[tuple[str, str]]:
    """The documents that a request takes away, by model and id."""
    if asked.system != "tryton" or not asked.is_write:
        return []
    *params, context = json.loads(asked.body)["params"]
    if asked.path == "wizard.account.invoice.credit.execute":
        return [(_INVOICE, str(each)) for each in context["active_ids"]]
    model, _, verb = asked.path.removeprefix("model.").rpartition(".")
    return [(model, str(each)) for each in params[0]] if verb == "cancel" else []


def _made(asked: Asked) -> set[str]:
    """The numbers of the invoices that a request makes."""
    if asked.path != f"model.{_INVOICE}.create":
        return set()
    return {str(values.get("reference")) for values in json.loads(asked.body)["params"][0]}


def _takes_a_word(world: World, model: str) -> bool:
    domain = {_INVOICE: "invoice", _SALE: "order"}[model]
    return world.topology.domains[domain].policy.approval is not None


def _is_approved(world: World, asked: Asked, *, record_id: str | None = None, label: str = "") -> bool:
    """Whether the last word about a record that was given before a request let it go."""
    words = [
        each.decision
        for each in world.said
        if each.after < asked.number
        and (each.write.request.record_id == record_id if record_id else each.write.label == label)
    ]
    return words[-1:] == [APPROVED]


def rejections_hold(world: World, ended: Ended) -> Iterator[str]:
    """What a person refused is not sent, and nobody is asked about the very same again."""
    for row in world.planes.ledger_rows(
        "SELECT w.label, w.operation FROM ledger.writes w JOIN ledger.attempts a USING (write_id) WHERE"
        " (SELECT p.decision FROM ledger.approvals p WHERE p.write_id = w.write_id AND p.at <= a.started_at"
        " ORDER BY p.approval_id DESC LIMIT 1) = 'rejected'"
    ):
        yield f"the {row['operation']} of {row['label']} was sent, though a person had rejected it"
    kept = {
        (row["write_id"], row["decision"])
        for row in world.planes.ledger_rows("SELECT write_id, decision FROM ledger.approvals")
    }
    refused: set[str] = set()
    released = {each.write.request.write_id for each in world.worked if each.act == RELEASED}
    for said in world.said:
        write_id, told = said.write.request.write_id, f"the {said.write.request.operation} of {said.write.label}"
        if (write_id, said.decision) not in kept:
            yield f"{said.by} has {said.decision} {told}, and nothing is on record of it"
        if write_id in refused - released:
            yield f"{said.by} was asked about {told} again, which had been rejected"
        refused |= {write_id} if said.decision == REJECTED else set()


def only_they_decide(world: World, ended: Ended) -> Iterator[str]:
    """Nobody's word counts who doesn't belong to the team, or had a hand in what she would approve."""
    yield from world.usurped
    for row in world.planes.ledger_rows(
        "SELECT decided_by, decision, domain, label, corrected_by"
        " FROM ledger.approvals JOIN ledger.writes USING (write_id) ORDER BY approval_id"
    ):
        allowed = (
            staff.approvers(row["domain"], {row["corrected_by"]}) if row["decision"] == APPROVED else staff.MEMBERS
        )
        if row["decided_by"] not in allowed:
            yield f"{row['label']} was {row['decision']} by {row['decided_by']}, who has no say in it"


def words_are_carried_out(world: World, ended: Ended) -> Iterator[str]:
    """In the end nothing waits for a word, and what was approved is written, or an open exception says why not."""
    items = world.planes.ledger_rows("SELECT domain, label, reason FROM ledger.work_items WHERE resolved_at IS NULL")
    for item in items:
        if "waits for approval" in item["reason"]:
            yield f"the exception of {item['domain']} {item['label']} still says that it {item['reason']}"
    told = {(item["domain"], item["label"]) for item in items}
    told |= {(each.write.domain, each.write.label) for each in world.accepted.values()}
    for row in world.planes.ledger_rows(
        "SELECT w.domain, w.label, w.operation, w.state, w.code FROM ledger.writes w WHERE w.state <> 'confirmed'"
        " AND (SELECT p.decision FROM ledger.approvals p WHERE p.write_id = w.write_id"
        "      ORDER BY p.approval_id DESC LIMIT 1) = 'approved'"
        " AND NOT EXISTS (SELECT 1 FROM ledger.writes n WHERE n.target = w.target AND n.link_id = w.link_id"
        "                 AND n.write_id <> w.write_id AND n.planned_at > w.planned_at) ORDER BY w.label"
    ):
        if (row["domain"], row["label"]) not in told:
            yield f"the {row['operation']} of {row['label']} was approved, is {row['state']} {row['code']}, and untold"


def voids_balance(world: World, ended: Ended) -> Iterator[str]:
    """A document that was voided in the books has one credit note, of its own amount, and both are whole."""
    held = {row["id"]: row for row in rows(world, "tryton", _INVOICE)}
    lines = {line["id"]: line for line in rows(world, "tryton", f"{_INVOICE}.line")}
    notes: dict[int, set[int]] = {}
    for line in lines.values():
        model, _, origin = str(line["origin"] or "").partition(",")
        if model == f"{_INVOICE}.line" and int(origin) in lines:
            notes.setdefault(lines[int(origin)]["invoice"], set()).add(line["invoice"])
    cancelled = {i for i, row in held.items() if row["state"] == "cancelled" and row["cancel_move"]}
    for invoice_id in sorted(cancelled | notes.keys()):
        yield from _unbalanced(held[invoice_id], [held[note] for note in sorted(notes.get(invoice_id, ()))])


def _unbalanced(invoice: Mapping[str, Any], notes: list[Mapping[str, Any]]) -> Iterator[str]:
    told = f"invoice {invoice['reference']}"
    if len(notes) != 1:
        yield f"{told} is {invoice['state']}, and {len(notes)} documents credit it"
        return
    (note,) = notes
    if invoice["state"] != "cancelled" or not note["move"] or invoice["cancel_move"] != note["move"]:
        yield f"{told} is {invoice['state']}, and its credit note, which is {note['state']}, does not void it"
    names = ("party", "currency", "company", "account")
    if [invoice[name] for name in names] != [note[name] for name in names]:
        yield f"{told} and its credit note are not of one account"
    amounts = [books.exact(each["total_amount_cache"]) for each in (invoice, note)]
    if sum(amounts) or not amounts[0]:
        yield f"{told} over {amounts[0]} is credited with {amounts[1]}"


def discards_hold(world: World, ended: Ended) -> Iterator[str]:
    """What a person accepted as it is is not sent any more, nobody works it again, and the trail says who and why."""
    audited = {
        (row["subject"], row["by"])
        for row in world.planes.ledger_rows(
            "SELECT subject, detail->>'by' AS by FROM ledger.audit_entries WHERE kind IN"
            " ('write.discarded', 'exception.discarded') AND detail->>'reason' <> ''"
        )
    }
    for write_id, worked in world.accepted.items():
        told = f"the {worked.write.request.operation} of {worked.write.label}, which was discarded"
        for flaw in _flaws(world, write_id, worked):
            yield f"{told}, {flaw}"
        if {(write_id, staff.WORKER), (worked.item.fingerprint, staff.WORKER)} - audited:
            yield f"{told}, is not in the audit trail with who and why"


def _flaws(world: World, write_id: str, worked: Worked) -> Iterator[str]:
    """In which respects a discard does not hold."""
    ledger_rows, link, target = world.planes.ledger_rows, worked.write.link_id, worked.write.target
    for write in ledger_rows(f"SELECT state, code FROM ledger.writes WHERE write_id = '{write_id}'"):
        if (write["state"], write["code"]) != ("refused", "discarded"):
            yield f"is {write['state']} {write['code']}"
    attempts = ledger_rows(f"SELECT started_at FROM ledger.attempts WHERE write_id = '{write_id}'")
    if any(each["started_at"] > worked.at for each in attempts):
        yield "was sent afterwards"
    corrections = f"SELECT * FROM ledger.corrections WHERE target = '{target}' AND link_id = '{link}'"
    for made in ledger_rows(corrections) if worked.write.corrected_by is None else []:
        if made["made_at"] <= worked.at and (made["ended_at"] is None or made["ended_at"] > worked.at):
            yield "was still corrected afterwards"
    for item in ledger_rows(f"SELECT * FROM ledger.work_items WHERE item_id = {worked.item.item_id}"):
        if not str(item["resolution"]).startswith("discarded") or item["resolved_by"] != staff.WORKER:
            yield f"still has an exception: {item['resolution']}"


def releases_end(world: World, ended: Ended) -> Iterator[str]:
    """What a person had sent again or corrected comes to an end: written, refused once more, or no longer wanted."""
    released = {each.write.request.write_id: each for each in world.worked if each.act == RELEASED}
    for row in world.planes.ledger_rows(
        "SELECT w.write_id, w.label FROM ledger.writes w JOIN ledger.work_items i USING (write_id)"
        " WHERE w.code = 'released' AND i.resolved_at IS NULL"
    ):
        yield f"{row['label']} was to be sent again, and never was"
    audited = {
        row["subject"]
        for row in world.planes.ledger_rows("SELECT subject FROM ledger.audit_entries WHERE kind = 'write.released'")
    }
    for write_id in sorted(released.keys() - audited):
        yield f"that {released[write_id].write.label} was to be sent again is not in the audit trail"
    edited = {each.write.link_id: each.write.label for each in world.worked if each.act == EDITED}
    for row in world.planes.ledger_rows(
        "SELECT link_id FROM ledger.corrections c WHERE ended_at IS NULL AND EXISTS (SELECT 1 FROM ledger.writes w"
        " WHERE w.link_id = c.link_id AND w.target = c.target AND w.corrected_by IS NOT NULL AND w.state = 'confirmed')"
    ):
        yield f"the correction of {edited.get(row['link_id'], row['link_id'])} is written, and did not end"


JUDGES = (
    approvals_come_first,
    rejections_hold,
    only_they_decide,
    words_are_carried_out,
    voids_balance,
    discards_hold,
    releases_end,
)
