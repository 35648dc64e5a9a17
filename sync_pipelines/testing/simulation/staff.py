"""The simulated company's own people: who belongs to the team that decides, and what each may not decide."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from random import Random

from msgspec.structs import replace as changed

from sync_pipelines.engine.topology import Approval, LegalEntity, Policy, Topology

TEAM = "controller"
AUTHOR, EDITOR, MEMBER, STRANGER = "carla", "chen", "dora", "sam"
"""The author of the policy may approve nothing, the editor of a deal not that deal, a stranger to the team nothing."""
MEMBERS = (AUTHOR, EDITOR, MEMBER)
WRITTEN_BY = "Carla Romano"
"""The author, as the file says it."""
APPROVED, REJECTED = "approved", "rejected"
WORKER = "wanda"
"""Works exceptions, and belongs to no team that approves."""
OTHER_ENTITY = "CA01"
"""A legal entity that the topology declares and whose books are elsewhere."""
RELEASED, DISCARDED, EDITED, ASSIGNED, REOPENED = "released", "discarded", "edited", "assigned", "reopened"


def hired(topology: Topology, *, seed: int, editor: str) -> Topology:
    """The topology with the people who decide; `editor` is who the CRM says edited its records.

    In half of the companies the voiding of an order takes a word too, not only that of an invoice.
    """
    people = {**topology.people, TEAM: changed(topology.people[TEAM], members=list(MEMBERS))}
    accounts = {AUTHOR: [WRITTEN_BY], EDITOR: ["Chen Wei", editor]}
    domains = dict(topology.domains)
    if Random(f"{seed}|staff").random() < 0.5:
        domains["order"] = changed(domains["order"], policy=_VOIDS_WAIT)
    entities = {**topology.legal_entities, OTHER_ENTITY: _ELSEWHERE}
    source = _signed(topology.state / "sync.toml")
    return changed(topology, people=people, accounts=accounts, domains=domains, legal_entities=entities, source=source)


_ELSEWHERE = LegalEntity(name="Meridian Canada Inc", zone="America/Toronto", currency="CAD")
_VOIDS_WAIT = Policy(approval=Approval(team=TEAM, when="operation = 'void'"))


def _signed(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"# author: {WRITTEN_BY}\n")
    return path


def approvers(domain: str, corrected_by: Collection[str | None] = ()) -> tuple[str, ...]:
    """Who may approve what waits in a domain: of an order the CRM says who edited it, and of an invoice nobody does.

    Who corrected what is to be sent may not either.
    """
    return (MEMBER,) if domain == "order" or EDITOR in corrected_by else (EDITOR, MEMBER)
