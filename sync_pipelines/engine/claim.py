"""What each step claims about its records, known before it is made; a claim of a step left out is not checked."""

from __future__ import annotations

from dataclasses import dataclass

from sync_pipelines.domains import DOMAINS
from sync_pipelines.engine.outcome import Check, Result
from sync_pipelines.engine.topology import Topology


@dataclass(frozen=True, slots=True)
class Claim:
    """What a step claims about its records. A claim that only `warns` never turns anything red."""

    name: str
    text: str
    blocking: bool = False
    warns: bool = False


EXTRACTION = (
    Claim("complete", "The record log holds as many live records as the system itself counts.", warns=True),
    Claim("fits_declared_shape", "Every declared field still arrives from the system."),
)
CONFORM = (
    Claim("fits_schema", "Every record fits the canonical schema; one that does not is set aside."),
    Claim("some_records_survive", "Most records fit, so the mapping itself is sound.", blocking=True),
    Claim("deletes_plausible", "Not so many records are gone that it can't be true.", blocking=True),
)
MATCH = (
    Claim("no_ambiguous_match", "No record has more than one candidate to be linked with."),
    Claim("no_duplicates", "No system holds the same thing twice."),
)
PLAN = (Claim("within_limits", "The plan is no larger than a plan may be without a person."),)
CLEARING = (
    Claim("cleared_fields_arrive", "Whether a field that may be cleared is empty can be told of every record."),
)
WRITES = (
    Claim("all_confirmed", "Every planned write was confirmed by the system."),
    Claim("nothing_in_doubt", "Of every write it is known whether it was committed.", blocking=True),
)


def reconciliation(topology: Topology, domain: str) -> tuple[Claim, ...]:
    """One claim for each pair of systems; control totals where the domain's records are dated amounts."""
    claims = [Claim("no_quarantined_records", f"No {domain} record had to be set aside.")]
    for a, b in topology.pairs(domain):
        claims.append(Claim(f"agrees_{a}_{b}", f"Every {domain} says the same in {a} and in {b}."))
        if DOMAINS[domain].dated:
            text = f"Counts and sums per period, legal entity and currency are equal in {a} and {b}."
            claims.append(Claim(f"control_totals_{a}_{b}", text))
    return tuple(claims)


def claims(topology: Topology, subject: str) -> tuple[Claim, ...]:
    """What the step at an address of the graph claims; a report claims nothing of its own."""
    domain, _, rest = subject.partition("/")
    if domain not in topology.domains:
        return EXTRACTION if domain in topology.systems else ()
    match rest.split("/"):
        case ["reconciliation"]:
            return reconciliation(topology, domain)
        case ["links"]:
            return MATCH
        case ["plan", _]:
            return PLAN + (CLEARING if topology.domains[domain].clears else ())
        case ["writes", _]:
            return WRITES
    return CONFORM


def not_checked(claims: tuple[Claim, ...], subject: str, reason: str) -> list[Check]:
    """The claims of a step that was not made, as checks that prove nothing either way."""
    return [Check(c.name, subject, c.text, Result.NOT_CHECKED, reason=reason, blocking=c.blocking) for c in claims]
