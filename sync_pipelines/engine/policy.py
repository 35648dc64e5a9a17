"""Policy: which planned writes need a person's word, how much may move without one, and who may give it.

Everything here decides; the ledger keeps what was decided. A limit counts what nobody with a say in it has
signed: a write that the limit's own team approved is beyond it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sync_pipelines.domains import DOMAINS, Domain
from sync_pipelines.domains.money import spell
from sync_pipelines.engine.outcome import Check, Result
from sync_pipelines.engine.plan import Write, also_approved_by
from sync_pipelines.engine.port import Operation
from sync_pipelines.engine.topology import DomainSettings, Limit

ADDING = frozenset({Operation.CREATE, Operation.UPDATE, Operation.REPLACE})
"""Operations that leave a living record behind; any other takes one away."""

DAY = timedelta(hours=24)
"""The day of `limit_per_day`: the last 24 hours at any moment, so that no midnight doubles what may move."""

UNKNOWN = "unknown"
"""The author or editor of something that does not say whose work it is."""

Granted = Collection[tuple[str, str]]
"""Approvals that hold: (write id, team)."""


@dataclass(frozen=True, slots=True)
class Size:
    """What writes touch; amounts are in minor units by currency, each taken without its sign."""

    records: int = 0
    documents: int = 0
    deletes: int = 0
    amount: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: Size) -> Size:
        return Size(
            self.records + other.records,
            self.documents + other.documents,
            self.deletes + other.deletes,
            dict(Counter(self.amount) + Counter(other.amount)),
        )


def size(writes: Sequence[Write]) -> Size:
    """How much some writes touch."""
    amount: Counter[str] = Counter()
    for write in writes:
        if write.amount_minor and write.currency:
            amount[write.currency] += abs(write.amount_minor)
    return Size(
        records=len(writes),
        documents=sum(is_document(DOMAINS[write.domain]) for write in writes),
        deletes=sum(write.request.operation not in ADDING for write in writes),
        amount=dict(amount),
    )


def is_document(domain: Domain) -> bool:
    """Whether a domain's records are documents: dated amounts, as orders and invoices are."""
    return bool(domain.amount and domain.dated)


def excess(limit: Limit, touched: Size) -> list[str]:
    """In which respects something is past a limit, in words; what is exactly at the limit is within it."""
    counts = (
        ("writes", touched.records, limit.records),
        ("documents", touched.documents, limit.documents),
        ("deletes", touched.deletes, limit.deletes),
    )
    over = [f"{what} {n:,}, at most {most:,}" for what, n, most in counts if most is not None and n > most]
    amounts = [(c, touched.amount.get(c, 0), most) for c, most in sorted(limit.amount.items())]
    return over + [f"{spell(n, c)}, at most {spell(most, c)}" for c, n, most in amounts if n > most]


def past_limits(settings: DomainSettings, writes: Sequence[Write], *, granted: Granted, sent: Size) -> str:
    """Why a plan has to wait as a whole, in words; empty when it doesn't.

    `sent` is what went to the target within the last `DAY` without the word of the limit's team.
    """
    unsigned = size([w for w in writes if (w.request.write_id, settings.limit_team) not in granted])
    if not unsigned.records:
        return ""
    plan = [f"{each} in one plan" for each in excess(settings.policy.per_plan, unsigned)]
    day = [f"{each} in 24 hours" for each in excess(settings.policy.limit_per_day, unsigned + sent)]
    return "; ".join(plan + day)


def ready(writes: Sequence[Write], granted: Granted) -> list[Write]:
    """The writes that apply by themselves or are approved."""
    return [w for w in writes if all((w.request.write_id, team) in granted for team in w.approved_by)]


def with_corrected(settings: DomainSettings, writes: Sequence[Write]) -> list[Write]:
    """The writes, where those that a person corrected wait for the approving team, whatever its condition says.

    A condition is judged by what the records say, and a correction may send something else.
    """
    approval = settings.policy.approval
    if approval is None:
        return list(writes)
    return [also_approved_by(write, approval.team) if write.corrected_by else write for write in writes]


def within_limits(domain: str, target: str, *, waits: str) -> Check:
    """The claim that a plan is no larger than the topology allows without a person's word."""
    return Check(
        name="within_limits",
        subject=f"{domain}/plan/{target}",
        claim=f"The plan of {domain} for {target} is within the limits of its policy.",
        result=Result.FAILED if waits else Result.PASSED,
        count=1 if waits else 0,
        reason=waits,
    )


@dataclass(frozen=True, slots=True)
class Hands:
    """Who had a hand in a write: the last editor of the leading record, and who corrected it."""

    edited_by: str | None = None
    corrected_by: str | None = None


def objections(
    approver: str, *, person: Callable[[str], str], authors: Mapping[str, str], hands: Mapping[str, Hands]
) -> list[str]:
    """Why a person may not approve: one sentence for each thing that she had a hand in herself.

    `person` tells who is behind a name, `authors` who wrote what (names set apart by semicolons), `hands` who
    touched the record of each write, by its label. An unknown author or editor is no objection.
    """
    me = person(approver)
    found = [
        f"{approver} wrote {what}"
        for what, names in authors.items()
        if me in {person(name) for name in names.split(";") if name.strip() != UNKNOWN}
    ]
    for label, each in hands.items():
        if each.edited_by and person(each.edited_by) == me:
            found.append(f"{approver} edited {label}")
        if each.corrected_by and person(each.corrected_by) == me:
            found.append(f"{approver} corrected {label}")
    return found
