"""The whole story of a business transaction across systems, as rows that people and machines read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from sync_pipelines.domains.money import spell
from sync_pipelines.engine.port import OPEN
from sync_pipelines.engine.topology import Topology
from sync_pipelines.errors import FixConfiguration
from sync_pipelines.ledger import Ledger, SavedWrite
from sync_pipelines.ledger.audit import AuditEntry
from sync_pipelines.ledger.directory import Known
from sync_pipelines.ledger.story import Story

Row = dict[str, Any]
Chronicle = dict[str, list[Row]]

FOR_PEOPLE = ("Deal", "Records", "Blocked", "Course")
"""The headings that a terminal shows; machines get the others too."""


def tell(topology: Topology, ledger: Ledger, word: str) -> Chronicle:
    """Everything about the deal, or the record, that a word names; `FixConfiguration` where nothing is known."""
    story = ledger.story(word, {name: settings.leader for name, settings in topology.domains.items()})
    if not any((story.records, story.writes, story.work_items, story.audit)):
        raise FixConfiguration(f"nothing is known of {word!r}: give an order, invoice or customer number")
    return {
        "Deal": [{"correlation id": each} for each in sorted(story.deals)],
        "Records": [_record(each) for each in sorted(story.records, key=_by_domain(topology))],
        "Blocked": [*_blocked(story), *_held(topology, story)],
        "Course": [_happened(entry, _subjects(story)) for entry in story.audit],
        "Links": [asdict(each) for each in story.links],
        "Writes": [_write(saved) for saved in story.writes],
        "Attempts": [asdict(attempt) for attempt in story.attempts],
        "Exceptions": [
            {"owner": i.owner, "kind": i.kind, "why": i.reason, "due": i.due_at, "resolved": i.resolved_at}
            for i in story.work_items
        ],
        "Audit": [
            {"seq": e.seq, "at": e.at, "by": e.actor, "what": e.kind, "of": e.subject, "deal": e.correlation_id}
            for e in story.audit
        ],
    }


def _by_domain(topology: Topology) -> Any:
    places = {name: place for place, name in enumerate(topology.domains)}
    return lambda each: (places.get(each.domain, len(places)), each.number or "", each.system, each.record_id)


def _record(each: Known) -> Row:
    return {
        "domain": each.domain,
        "system": each.system,
        "record_id": each.record_id,
        "label": each.label or each.record_id,
        "status": "deleted" if each.is_deleted else each.status,
        "amount": _money(each.amount_minor, each.currency),
        "set aside": each.refused,
    }


def _money(amount_minor: int | None, currency: str | None) -> str | None:
    return spell(amount_minor, currency) if amount_minor is not None and currency else None


def _blocked(story: Story) -> Iterator[Row]:
    """What keeps the transaction from going on: since when, and whose job it is."""
    for item in story.work_items:
        if item.resolved_at is None:
            yield {
                "what": f"{item.domain} {item.label}: {item.reason}",
                "since": item.opened_at,
                "whose": item.owner,
                "due": item.due_at,
                "at stake": _money(item.amount_minor, item.currency),
            }
    for wait in story.waits:
        yield {"what": f"{wait.label} for {wait.target}: {wait.reason}", "since": wait.since, "whose": wait.team}
    for saved in story.writes:
        if saved.state in OPEN:
            what = f"{saved.write.label} for {saved.write.target}: nobody knows yet whether it was written"
            yield {"what": what, "since": saved.updated_at, "whose": "the next run reads it back"}


def _held(topology: Topology, story: Story) -> Iterator[Row]:
    """What plans held back, where no exception says so already."""
    # An exception about what is missing names the system that lacks it, and the record that leads.
    links = {(m.domain, m.record_id): m.link_id for m in story.links}
    told = {links.get((i.domain, i.record_id)) for i in story.work_items if i.resolved_at is None}
    for held in story.held_back:
        if held.link_id not in told and held.domain in topology.domains:
            owner = topology.domains[held.domain].exceptions["default"]
            since = min(m.since for m in story.links if m.link_id == held.link_id)
            yield {"what": f"{held.domain} for {held.target}: {held.reason}", "since": since, "whose": owner}


def _subjects(story: Story) -> Mapping[str, str]:
    """What the subjects of audit entries are called by people."""
    named = {each.fingerprint: f"{each.domain} {each.label}: {each.reason}" for each in story.work_items}
    for saved in story.writes:
        write = saved.write
        named[write.request.write_id] = f"{write.request.operation} {write.domain} {write.label} in {write.target}"
    return named


def _happened(entry: AuditEntry, named: Mapping[str, str]) -> Row:
    detail = dict(entry.detail)
    place = " ".join(str(detail[name]) for name in ("domain", "system", "record_id") if detail.get(name))
    why = [str(detail[name]) for name in ("rule", "reason", "code", "owner") if detail.get(name)]
    return {
        "at": entry.at,
        "what": entry.kind,
        "of": named.get(entry.subject) or place or entry.subject,
        "why": ", ".join(why),
        "by": detail.get("by") or entry.actor,
        "entry": entry.seq,
    }


def _write(saved: SavedWrite) -> Row:
    request = saved.write.request
    return {
        "at": saved.updated_at,
        "to": saved.write.target,
        "what": f"{request.operation} {saved.write.domain} {saved.write.label}",
        "state": saved.state,
        "record": saved.record_id_after,
        "why": saved.message,
        "changed": ", ".join(change.field for change in saved.write.changes),
        "deal": request.correlation_id,
    }
