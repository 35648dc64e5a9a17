"""Whether two systems agree on a document, and which exceptions speak for what they don't agree on."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from sync_pipelines.testing.simulation.books import Paper, Party
from sync_pipelines.testing.simulation.world import World

_SURVIVOR = re.compile(r" was merged into (.+?)(?:, and both have| as .+ was, and each has) a record in ")
"""Whom a doubt about a merge names beside the merged."""


@dataclass(frozen=True, slots=True)
class Excuses:
    """The exceptions that are open: what the product itself says is not in agreement, and why.

    One about a record speaks for all that are, or were, linked to it, and one that people have accepted as it is
    like one that is open.
    """

    by_record: Collection[tuple[str, str]]
    by_label: Collection[tuple[str, str]]

    @classmethod
    def of(cls, world: World, *, systems: Collection[str] = ()) -> Excuses:
        """Those about records of some systems (none: of all); one about a document names its system."""
        items = world.planes.ledger_rows(
            "SELECT item_id, domain, system, record_id, label, reason, resolved_at FROM ledger.work_items"
            " WHERE resolved_at IS NULL OR resolution LIKE 'discarded:%'"
        )
        accepted = {each.item.item_id for each in world.accepted.values()}
        items = [item for item in items if item["resolved_at"] is None or item["item_id"] in accepted]
        items = [item for item in items if not systems or item["system"] in systems]
        words = [(item["domain"], word) for item in items for word in str(item["label"] or "").split()]
        labels = [(item["domain"], str(item["label"])) for item in items]
        # A doubt names those that the record may be behind a colon.
        named = [(i["domain"], name) for i in items for name in i["reason"].partition(": ")[2].split(", ") if name]
        named += [(i["domain"], name) for i in items for name in _SURVIVOR.findall(i["reason"])]
        records = {(item["domain"], item["record_id"]) for item in items}
        links = world.planes.ledger_rows("SELECT domain, link_id, record_id FROM ledger.links")
        told = {link["link_id"] for link in links if (link["domain"], link["record_id"]) in records}
        linked = {(link["domain"], link["record_id"]) for link in links if link["link_id"] in told}
        return cls({*records, *linked}, {*labels, *words, *named})

    def cover(self, domain: str, *of: Paper | Party | None) -> bool:
        known = [each for each in of if each is not None]
        named = {each.number for each in known} | {each.name for each in known if isinstance(each, Party)}
        return any((domain, each.record_id) in self.by_record for each in known) or any(
            (domain, name) in self.by_label for name in named
        )


def apart(
    world: World,
    domain: str,
    sides: tuple[list[Paper], list[Paper]],
    excuses: Excuses,
    *,
    seeded: Collection[str],
    there: str = "the ERP",
) -> Iterator[str]:
    """Documents that are not on both sides with one amount, and those that were made though they are too old.

    The owner's side comes first; `seeded` are the ids of those that the other had from the beginning.
    """
    leading, following = sides
    since = world.topology.domains[domain].cut_over.isoformat()
    held = {paper.number: paper for paper in following}
    owned = {paper.number: paper for paper in leading}
    for number in sorted(owned.keys() | held.keys()):
        lead, follow = owned.get(number), held.get(number)
        amounts = [None if paper is None else (paper.amount_minor, paper.currency) for paper in (lead, follow)]
        is_early = (lead.on if lead else follow.on if follow else "") < since
        if amounts[0] != amounts[1] and not is_early and not excuses.cover(domain, lead, follow):
            yield f"{domain} {number} is {amounts[0]} in {leading[0].system} and {amounts[1]} in {there}, unexplained"
        if follow and follow.on < since and follow.record_id not in seeded:
            yield f"{domain} {number} is of {follow.on}, before the company began with {domain}s, and was made"
