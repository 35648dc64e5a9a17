"""`sync-pipelines exceptions`: looking at the queue, and deciding what becomes of what is in it."""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sync_pipelines.errors import FixConfiguration

if TYPE_CHECKING:
    from sync_pipelines.engine.topology import Topology as Declared
    from sync_pipelines.ledger import Ledger, SavedWrite, WorkItem

app = typer.Typer(no_args_is_help=True, help="Work the queue of exceptions: look, mend, send again, or accept.")
out = Console()

Topology = Annotated[Path, typer.Option("--topology", envvar="SYNC_TOPOLOGY", help="The topology to use.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Number = Annotated[int, typer.Argument(metavar="ID", help="The exception's number, as `exceptions list` tells it.")]
Reason = Annotated[str, typer.Option(help="Why, for the audit trail.")]
OfDomain = Annotated[str, typer.Option("--domain", help="Only those of this domain.")]
OfKind = Annotated[str, typer.Option("--kind", help="Only those of this kind.")]
OfOwner = Annotated[str, typer.Option("--owner", help="Only those of this team.")]
SYNC_TOML = Path("sync.toml")
AT_ONCE = 1_000
"""Writes that one transaction decides about."""


@app.command("list")
def show_all(
    owner: OfOwner = "",
    domain: OfDomain = "",
    kind: OfKind = "",
    overdue: Annotated[bool, typer.Option("--overdue", help="Only those whose time is up.")] = False,
    as_json: AsJson = False,
    topology: Topology = SYNC_TOML,
) -> None:
    """List the open exceptions, the most urgent first."""
    with _ledger(topology) as (_, ledger):
        now = ledger.clock.now()
        items = [
            item
            for item in ledger.open_work_items(domain=domain, owner=owner, kind=kind)
            if item.due_at < now or not overdue
        ]
    if as_json:
        _print_json([asdict(item) for item in items])
        return
    table = Table("ID", "due", "owner", "domain", "kind", "record", "amount", "why", box=None, header_style="dim")
    for item in items:
        due = f"[red]{item.due_at:%Y-%m-%d %H:%M}[/]" if item.due_at < now else f"{item.due_at:%Y-%m-%d %H:%M}"
        cells = (item.owner, item.domain, item.kind, item.label, _amount(item), item.reason)
        table.add_row(str(item.item_id), due, *(escape(cell or "") for cell in cells))
    out.print(table)
    out.print(f"{len(items):,} open.")


@app.command()
def show(item: Number, as_json: AsJson = False, topology: Topology = SYNC_TOML) -> None:
    """Show one exception: what was to be written, what happened, and what to do next."""
    with _ledger(topology) as (declared, ledger):
        told = _story(declared, ledger, _known(ledger, item))
    if as_json:
        _print_json(told)
        return
    for heading, value in told.items():
        out.print(f"[bold]{heading}[/]")
        lines = value if isinstance(value, list) else [value]
        for line in lines or ["none"]:
            out.print("  " + escape(line if isinstance(line, str) else _line(line)), highlight=False, soft_wrap=True)


@app.command()
def edit(
    item: Number,
    values: Annotated[list[str], typer.Option("--set", help="PATH=VALUE in the payload, as `show` spells it.")],
    reason: Reason,
    topology: Topology = SYNC_TOML,
) -> None:
    """Correct what is sent; it holds for as long as the very same is planned, and the next run sends it."""
    from sync_pipelines import mappings
    from sync_pipelines.engine.correction import Correction, body_hash, edits
    from sync_pipelines.engine.port import State

    with _ledger(topology) as (_, ledger):
        saved = _written(ledger, _known(ledger, item))
        if saved.state not in (State.REFUSED, State.FAILED) or saved.code == "discarded":
            raise FixConfiguration(
                f"the write of exception {item} is {saved.code or saved.state}: it can't be edited now"
            )
        request, shapes = saved.write.request, mappings.objects(saved.write.target)
        patch = edits(request.body, shapes.get(request.object, {}), values)
        made = Correction(saved.write.link_id, body_hash(request.body), patch, getpass.getuser(), reason)
        ledger.correct(saved, made)
    out.print(f"Corrected {', '.join(sorted(patch))}; `sync-pipelines run` sends it.", highlight=False)


@app.command()
def retry(item: Number, reason: Reason, topology: Topology = SYNC_TOML) -> None:
    """Have a refused write sent again as it is, because its cause is mended; the next run sends it."""
    with _ledger(topology) as (_, ledger):
        found = _written(ledger, _known(ledger, item))
        released = ledger.release_writes([found.write.request.write_id], by=getpass.getuser(), reason=reason)
    if not released:
        raise FixConfiguration(f"the write of exception {item} is {found.code or found.state}: {_why_not(found)}")
    out.print("To be sent again; `sync-pipelines run` does it.")


@app.command()
def replay(
    reason: Reason,
    domain: OfDomain = "",
    kind: OfKind = "refused",
    code: Annotated[str, typer.Option(help="Only those that were refused with this code.")] = "",
    owner: OfOwner = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent again, and leave it.")] = False,
    now: Annotated[bool, typer.Option("--now", help="Run the loop over their domains afterwards.")] = False,
    topology: Topology = SYNC_TOML,
) -> None:
    """Have many refused writes sent again, because their common cause is mended."""
    with _ledger(topology) as (_, ledger):
        letters = ledger.refused_letters(domain=domain, kind=kind, code=code, owner=owner)
        if dry_run:
            out.print(f"{len(letters):,} would be sent again.")
            return
        released = _released(ledger, [letter.write_id for letter in letters], reason)
        concerned = sorted({letter.domain for letter in letters})
    out.print(f"{released:,} of {len(letters):,} are to be sent again; `sync-pipelines run` does it.")
    if now and released:
        _run(topology, concerned)


@app.command()
def settle(
    item: Number,
    reason: Reason,
    committed: Annotated[str, typer.Option(metavar="RECORD_ID", help="It was stored, as this record.")] = "",
    not_committed: Annotated[bool, typer.Option("--not-committed", help="Nothing of it was stored.")] = False,
    topology: Topology = SYNC_TOML,
) -> None:
    """Say what became of a write in doubt that can't be read back, because you have looked for it."""
    if bool(committed) == not_committed:
        raise FixConfiguration("say either --committed RECORD_ID or --not-committed")
    with _ledger(topology) as (_, ledger):
        found = _written(ledger, _known(ledger, item))
        write, by = found.write, getpass.getuser()
        with ledger.exclusive(f"{write.domain}/{write.target}"):
            settled = ledger.settle_write(write.request.write_id, record_id=committed or None, by=by, reason=reason)
    if not settled:
        raise FixConfiguration(f"the write of exception {item} is {found.code or found.state}: {_why_not(found)}")
    told = f"Settled as {committed}" if committed else "Settled: it may be planned again"
    out.print(f"{told}; `sync-pipelines run` goes on from there.", highlight=False)


@app.command()
def discard(item: Number, reason: Reason, topology: Topology = SYNC_TOML) -> None:
    """Accept the difference: the write is not sent, until the record changes on either side."""
    with _ledger(topology) as (_, ledger):
        found = _written(ledger, _known(ledger, item))
        discarded = ledger.discard_writes([found.write.request.write_id], by=getpass.getuser(), reason=reason)
    if not discarded:
        raise FixConfiguration(f"the write of exception {item} is {found.code or found.state}: {_why_not(found)}")
    out.print(f"Discarded; `sync-pipelines exceptions reopen {item}` takes it back.", highlight=False)


@app.command()
def reopen(item: Number, reason: Reason, topology: Topology = SYNC_TOML) -> None:
    """Take a discard back: the exception is open again."""
    with _ledger(topology) as (_, ledger):
        _known(ledger, item)
        if not ledger.reopen_work_item(item, by=getpass.getuser(), reason=reason):
            raise FixConfiguration(f"exception {item} is not discarded, or the record has another one that is open")
    out.print("Open again.")


@app.command()
def assign(
    item: Number,
    team: Annotated[str, typer.Argument(help="A team of [people].")],
    reason: Reason,
    topology: Topology = SYNC_TOML,
) -> None:
    """Give an exception to another team; its due time stays."""
    with _ledger(topology) as (declared, ledger):
        if team not in declared.people:
            raise FixConfiguration(f"no team {team!r} in [people]; there are {', '.join(declared.people)}")
        if _known(ledger, item).resolved_at is not None:
            raise FixConfiguration(f"exception {item} is resolved already")
        ledger.assign(item, team, by=getpass.getuser(), reason=reason)
    out.print(f"It is for {declared.people[team].name} now.", highlight=False)


def _released(ledger: Ledger, write_ids: Sequence[str], reason: str) -> int:
    """Release writes a thousand at a time; when it is interrupted, what is done is done, and the rest can follow."""
    from rich.progress import track

    parts = [write_ids[start : start + AT_ONCE] for start in range(0, len(write_ids), AT_ONCE)]
    by = getpass.getuser()
    told = track(parts, "to be sent again", console=out, transient=True)
    return sum(ledger.release_writes(part, by=by, reason=reason) for part in told)


def _why_not(saved: SavedWrite) -> str:
    from sync_pipelines.engine.advice import next_step

    return "`exceptions reopen` it first" if saved.code == "discarded" else next_step(saved.state, code=saved.code)


def _known(ledger: Ledger, number: int) -> WorkItem:
    found = ledger.work_item(number)
    if found is None:
        raise FixConfiguration(f"there is no exception {number}: see `sync-pipelines exceptions list`")
    return found


def _written(ledger: Ledger, item: WorkItem) -> SavedWrite:
    """The write that an open exception is about."""
    if item.resolved_at is not None:
        raise FixConfiguration(f"exception {item.item_id} is resolved: {item.resolution}")
    if item.write_id is None:
        raise FixConfiguration(f"nothing was sent for exception {item.item_id}: mend its cause, {item.reason}")
    return ledger.find_writes([item.write_id])[0]


def _story(declared: Declared, ledger: Ledger, item: WorkItem) -> dict[str, Any]:
    from sync_pipelines.engine.advice import next_step

    written = ledger.find_writes([item.write_id]) if item.write_id else []
    ids = [saved.write.request.write_id for saved in written]
    kept = ("fingerprint", "evidence", "run_id")
    trail = [entry for subject in (item.fingerprint, *ids) for entry in ledger.audit_of(subject)]
    history = [
        {"at": e.at, "what": e.kind, "by": e.detail.get("by", e.actor), "why": e.detail.get("reason", "")}
        for e in sorted(trail, key=lambda entry: entry.seq)
    ]
    return {
        "Exception": {name: value for name, value in asdict(item).items() if name not in kept},
        "Next": next_step(item.kind, code=written[0].code if written else ""),
        **(_payload(declared, ledger, written[0]) if written else {}),
        "Attempts": [asdict(attempt) for attempt in ledger.attempts(ids)],
        "History": history,
    }


def _payload(declared: Declared, ledger: Ledger, saved: SavedWrite) -> dict[str, Any]:
    """What was to be written, as the one who looks may see it, and what somebody has corrected since."""
    from sync_pipelines import mappings
    from sync_pipelines.domains import DOMAINS
    from sync_pipelines.engine import masking

    write = saved.write
    body: Any = write.request.body
    changes = list(write.changes)
    if not declared.sees_personal_data(getpass.getuser()):
        constants = mappings.constants(write.target, write.domain)
        body = masking.payload(write, DOMAINS[write.domain], constants=constants)
        changes = masking.changes(write, DOMAINS[write.domain])
    corrections = [
        {"by": each.made_by, "why": each.reason, "paths": ", ".join(sorted(each.patch))}
        for each in ledger.open_corrections(write.domain, write.target)
        if each.link_id == write.link_id
    ]
    return {
        "Write": {"to": write.target, "operation": write.request.operation, "state": saved.state, "code": saved.code},
        "Changes": [asdict(change) for change in changes],
        "Payload": body,
        "Corrections": corrections,
    }


def _line(told: Mapping[str, Any]) -> str:
    plain = {key: value for key, value in told.items() if value not in (None, "")}
    if any(isinstance(value, list | dict) for value in plain.values()):
        return json.dumps(plain, indent=2, ensure_ascii=False, default=str)
    return ", ".join(f"{key} {value}" for key, value in plain.items())


def _amount(item: WorkItem) -> str:
    from sync_pipelines.domains.money import spell

    return spell(item.amount_minor, item.currency) if item.amount_minor and item.currency else ""


def _run(path: Path, domains: Sequence[str]) -> None:
    """The loop once over some domains, in this process."""
    from sync_pipelines import config, planes
    from sync_pipelines.course import course, walk
    from sync_pipelines.loop import Loop
    from sync_pipelines.terminal import Terminal, line

    topology = config.load(path)
    with planes.server(topology), Loop.open(topology, run_id=str(uuid4())) as loop:
        steps = course(loop, domains)
        with Terminal(out).progress(len(steps)) as tell:
            for told in walk(steps):
                tell(line(told))


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")


@contextmanager
def _ledger(path: Path) -> Iterator[tuple[Declared, Ledger]]:
    from sync_pipelines import config, planes
    from sync_pipelines.ledger import Ledger

    topology = config.load(path, strict=False)
    with planes.server(topology):
        ledger = Ledger.open(planes.database_url(topology), actor=getpass.getuser())
        try:
            yield topology, ledger
        finally:
            ledger.close()
