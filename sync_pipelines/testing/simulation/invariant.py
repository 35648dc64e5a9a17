"""What has to hold when peace has come, whatever happened before; each is judged without the engine."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sync_pipelines.testing.simulation import assent, books, conduct, file_conduct, other_books, others
from sync_pipelines.testing.simulation.agreement import Excuses, apart
from sync_pipelines.testing.simulation.company import SYSTEMS
from sync_pipelines.testing.simulation.life import Ended
from sync_pipelines.testing.simulation.line import Asked
from sync_pipelines.testing.simulation.world import World, rows

READ_BACKS = 2
MOST_CALLS_DOWN = 60
"""To a system in the hours in which it does not answer, however often somebody tries."""
MOST_CALLS = 400
"""Of one run to one system, at the size of these companies."""


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant that is broken, and the records concerned."""

    invariant: str
    told: str

    def __str__(self) -> str:
        return f"{self.invariant}: {self.told}"


def check(world: World, ended: Ended) -> list[Violation]:
    """Every invariant that a life has broken."""
    return [Violation(name, told) for name, judge in INVARIANTS.items() for told in judge(world, ended)]


# What the systems hold

_MODELS = {"invoice": "account.invoice", "order": "sale.sale"}


def no_duplicates(world: World, ended: Ended) -> Iterator[str]:
    for table, key, ids in (*books.twice(world), *others.twice(world)):
        yield f"{table} {key} is there {len(ids)} times: {', '.join(ids)}"


def documents_agree(world: World, ended: Ended) -> Iterator[str]:
    """Every document is on both sides with one amount, or an open exception names it."""
    excuses = Excuses.of(world)
    for domain, sides in (("invoice", (books.billed, books.posted)), ("order", (books.won, books.sold))):
        if domain in world.story.domains:
            seeded = {key for system, table, key in world.seeded if (system, table) == ("tryton", _MODELS[domain])}
            leading, following = (side(world) for side in sides)
            yield from apart(world, domain, (leading, following), excuses, seeded=seeded)


def customers_agree(world: World, ended: Ended) -> Iterator[str]:
    """Every customer is in every system under one name, or an open exception names it."""
    if "customer" not in world.story.domains:
        return
    excuses = Excuses.of(world)
    links = world.planes.ledger_rows(
        "SELECT link_id, system, record_id FROM ledger.links WHERE domain = 'customer' AND until IS NULL"
    )
    linked = {(link["link_id"], link["system"]): link["record_id"] for link in links}
    of_account = {link["record_id"]: link["link_id"] for link in links if link["system"] == "salesforce"}
    beside = ((system, books.others(world, system)) for system in world.boxes.keys() & others.HELD.keys())
    for system, held in (("stripe", books.payers(world)), ("tryton", books.parties(world)), *beside):
        by_id = {party.record_id: party for party in held}
        for account in books.accounts(world):
            found = by_id.get(linked.get((of_account.get(account.record_id, ""), system), ""))
            differs = found is None or found.name != account.name or (found.number or account.number) != account.number
            if differs and not excuses.cover("customer", account, found):
                yield f"customer {account.number} is {found and found.name!r} in {system}, unexplained"


def money_is_conserved(world: World, ended: Ended) -> Iterator[str]:
    """What is posted is what was billed, but for what open exceptions account for, per currency to the unit."""
    if "invoice" not in world.story.domains:
        return
    excuses, apart = Excuses.of(world), Counter[str]()
    since = world.topology.domains["invoice"].cut_over.isoformat()
    billed = [paper for paper in books.billed(world) if paper.on >= since]
    posted = [paper for paper in books.posted(world) if paper.on >= since]
    for sign, papers in ((1, billed), (-1, posted)):
        for paper in papers:
            apart[paper.currency] += sign * paper.amount_minor
            if excuses.cover("invoice", paper):
                apart[paper.currency] -= sign * paper.amount_minor
                others = posted if sign == 1 else billed
                for other in others:
                    if other.number == paper.number and not excuses.cover("invoice", other):
                        apart[paper.currency] += sign * other.amount_minor
    for currency, difference in sorted(apart.items()):
        if difference:
            yield f"{difference} {currency} are billed and not posted, and no exception accounts for them"


def totals_are_true(world: World, ended: Ended) -> Iterator[str]:
    """The control totals that the last run kept are what billing and the ERP hold."""
    if "invoice" not in world.story.domains:
        return
    last = f"run-calm-{ended.runs}-%"
    kept = world.planes.ledger_rows(
        "SELECT system, currency, sum(count) AS count, sum(sum_minor) AS total FROM ledger.control_totals "
        f"WHERE domain = 'invoice' AND run_id LIKE '{last}' GROUP BY system, currency"
    )
    aside = {r["record_id"] for r in world.planes.ledger_rows(
        "SELECT record_id FROM ledger.work_items WHERE resolved_at IS NULL AND kind = 'quarantined'")}  # fmt: skip
    told = {(row["system"], row["currency"]): int(row["total"]) for row in kept if row["system"] in SYSTEMS}
    held: Counter[tuple[str, str]] = Counter()
    for paper in (*books.billed(world), *books.posted(world)):
        if paper.record_id not in aside:
            held[(paper.system, paper.currency)] += paper.amount_minor
    for key in sorted({*told, *held}):
        if told.get(key, 0) != held[key]:
            yield f"the control total of {key[0]} in {key[1]} says {told.get(key, 0)}, but it holds {held[key]}"


def closed_periods_stay_closed(world: World, ended: Ended) -> Iterator[str]:
    """No document of ours is dated into a month that was closed when it was posted."""
    periods = {p["id"]: p["name"] for p in rows(world, "tryton", "account.period")}
    ours = {i["move"]: i["reference"] for i in rows(world, "tryton", "account.invoice") if i["move"]}
    for move in rows(world, "tryton", "account.move"):
        at = datetime.fromtimestamp(move["create_date"] / 1_000_000, UTC)
        state = _state_at(world, periods.get(move["period"], ""), at)
        if state != "open" and move["id"] in ours:
            yield f"invoice {ours[move['id']]} was posted into {periods.get(move['period'])}, which was {state}"
    for asked in world.traffic.log:
        if any(key.startswith("account.period") for key in asked.keys):
            yield f"the state of a period was changed: {asked}"


def _state_at(world: World, name: str, at: datetime) -> str:
    told = [state for since, period, state in world.periods if period == name and since < at]
    return told[-1] if told else "open"


# What was sent


def nothing_is_sent_blindly(world: World, ended: Ended) -> Iterator[str]:
    """A write whose fate is unknown is not sent again before somebody looked."""
    unclear: dict[tuple[str, str], Asked] = {}
    for asked in world.traffic.log:
        if asked.is_clear and not asked.is_write and not asked.is_refused:
            unclear = {at: sent for at, sent in unclear.items() if at[0] != asked.system or not _looks_at(asked, at[1])}
        for key, content in asked.keys.items():
            before = unclear.get((asked.system, key))
            if before is not None and before.keys[key] == content and not asked.is_recognised:
                yield f"{asked.system} {key} was sent again blindly, requests {before.number} and {asked.number}"
            if asked.is_clear:
                unclear.pop((asked.system, key), None)
            else:
                unclear[(asked.system, key)] = asked


def _looks_at(asked: Asked, key: str) -> bool:
    """Whether a read asks for what a write's key names: the object, and of a new record its key too."""
    table, _, named = key.partition(" ")
    said = asked.body.decode() + asked.path
    return table in said and ("[" in named or named in said or named in asked.answer.decode())


def doubts_are_resolved(world: World, ended: Ended) -> Iterator[str]:
    """No write is left in doubt, but for one of which the other side itself has lost every trace."""
    for row in world.planes.ledger_rows(
        "SELECT write_id, label, target, state, code FROM ledger.writes WHERE state IN ('intent', 'in_doubt')"
        " ORDER BY label"
    ):
        if not file_conduct.is_overdue(world, row["write_id"], row["code"], row["label"]):
            yield f"the write of {row['label']} to {row['target']} is still {row['state']}"


def read_backs_are_few(world: World, ended: Ended) -> Iterator[str]:
    """A doubt about a record that was to be made, or about what follows on it, costs at most two looks by its key.

    A look right before the next attempt is that one's own, for it makes sure that nobody else was faster. What a
    process had seen when it died is looked for once more.
    """
    sent, looks, followed = Counter[tuple[str, str, str]](), Counter[tuple[str, str, str]](), Counter[tuple[str, str]]()
    before: dict[str, set[tuple[str, str, str]]] = {}
    for asked in world.traffic.log:
        parts = [key.partition(" ") for key in asked.keys if " " in key]
        made = {(asked.system, table, named) for table, _, named in parts if "[" not in named}
        looks.subtract(made & before.get(asked.system, set()))
        said = asked.body.decode() + asked.path
        found = {at for at in sent if at[0] == asked.system and at[2] in said and not made}
        looks.update(found if asked.is_clear else ())
        before[asked.system] = found
        if not asked.is_clear:
            sent.update(made)
            followed.update((asked.system, table) for table, _, named in parts if "[" in named)
    for (system, table, named), number in sorted(sent.items()):
        unclear = number + followed[system, table]
        if looks[system, table, named] > READ_BACKS * unclear + world.injected["crash"]:
            yield f"{system} {named} was looked for {looks[system, table, named]} times after {unclear} unclear answers"


def calls_are_bounded(world: World, ended: Ended) -> Iterator[str]:
    calls = Counter((asked.run, asked.system) for asked in world.traffic.log)
    for (run, system), number in sorted(calls.items()):
        runs = sum(f" run run-{run}-" in line for line in world.log) or 1
        if number > MOST_CALLS * runs:
            yield f"run {run} made {number} calls to {system}"


def systems_that_are_down_are_left_alone(world: World, ended: Ended) -> Iterator[str]:
    for system, since, until in world.traffic.outages:
        number = sum(a.system == system and since <= a.at < until for a in world.traffic.log)
        if number > MOST_CALLS_DOWN:
            yield f"{system} was called {number} times while it was down for {until - since}"


# What is kept


def audit_is_whole(world: World, ended: Ended) -> Iterator[str]:
    broken = world.planes.first_broken_entry()
    if broken is not None:
        yield f"audit entry {broken} is not what it was"


def peace_comes(world: World, ended: Ended) -> Iterator[str]:
    """When nothing happens any more, a second plan is empty and nothing is written."""
    if ended.error:
        yield f"the last run ended with {ended.error}"
    if ended.planned or ended.written:
        yield f"run {ended.runs} in peace still planned {ended.planned} and wrote {ended.written} times"


def cursors_go_forward(world: World, ended: Ended) -> Iterator[str]:
    """What a cursor is made of is its adapter's affair: only those of the three can be put in order."""
    furthest: dict[tuple[str, str], tuple[str, str]] = {}
    for system, name, cursor in world.planes.lake_rows(
        "SELECT system, object, cursor FROM lake.cursor_log ORDER BY rowid"
    ):
        if system not in SYSTEMS:
            continue
        place = _place(json.loads(cursor))
        if place < furthest.get((system, name), place):
            yield f"the cursor of {system}/{name} went back to {cursor}"
        furthest[(system, name)] = place


def _place(cursor: Mapping[str, Any]) -> tuple[str, str]:
    if "at" in cursor:
        return str(cursor["at"]), f"{cursor['id']:>20}"
    return f"{cursor.get('event_created', 0):>20}", ""


Judge = Callable[[World, Ended], Iterator[str]]
INVARIANTS: Mapping[str, Judge] = {
    judge.__name__: judge
    for judge in (
        no_duplicates,
        documents_agree,
        customers_agree,
        money_is_conserved,
        totals_are_true,
        closed_periods_stay_closed,
        nothing_is_sent_blindly,
        doubts_are_resolved,
        read_backs_are_few,
        calls_are_bounded,
        systems_that_are_down_are_left_alone,
        audit_is_whole,
        peace_comes,
        cursors_go_forward,
        *conduct.JUDGES,
        *assent.JUDGES,
        *file_conduct.JUDGES,
        *other_books.JUDGES,
    )
}


def names(violations: Sequence[Violation]) -> set[str]:
    return {violation.invariant for violation in violations}
