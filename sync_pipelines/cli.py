"""The command line: every verb of the loop for people, and `--json` with exit codes for machines."""

from __future__ import annotations

import getpass
import json
import shlex
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import typer
from rich.console import Console
from rich.markup import escape

from sync_pipelines.commands import exceptions
from sync_pipelines.errors import FixConfiguration, SyncError

if TYPE_CHECKING:
    from sync_pipelines import config
    from sync_pipelines.engine.outcome import Planned
    from sync_pipelines.engine.plan import Write
    from sync_pipelines.ledger import Ledger

DONE, FAILED, MISCONFIGURED, DIFFERENCES = 0, 1, 2, 3
INTERRUPTED, TERMINATED = 130, 143
"""Exit codes: done; failed; the configuration must be mended; there are differences or open writes."""

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Keep customer platforms and an ERP in agreement, and prove it. "
    "Exit codes: 0 done, 1 failed, 2 mend the configuration, 3 differences remain.",
)
verifying = typer.Typer(no_args_is_help=True, help="Check what must not have been changed.")
app.add_typer(verifying, name="verify")
app.add_typer(exceptions.app, name="exceptions")
out = Console()
err = Console(stderr=True)

Topology = Annotated[Path, typer.Option("--topology", envvar="SYNC_TOPOLOGY", help="The topology to use.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
System = Annotated[str, typer.Argument(help="A system of the topology.")]
Domains = Annotated[list[str] | None, typer.Argument(help="Domains to work on; all when none is named.")]
SYNC_TOML = Path("sync.toml")


class Systems(StrEnum):
    """Which systems the demo has."""

    FEW = "few"
    ALL = "all"


def main() -> None:
    """Run the command line; a refusal becomes a sentence and an exit code, never a traceback."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job starts with it ignored
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))  # so that what was started is stopped
    try:
        app()
    except FixConfiguration as error:
        err.print(f"[bold red]Configuration:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        sys.exit(MISCONFIGURED)
    except SyncError as error:
        err.print(f"[bold red]{type(error).__name__}:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        sys.exit(FAILED)
    except SystemExit as ended:
        if ended.code == INTERRUPTED:
            err.print("Interrupted. Nothing is lost: run again, and it goes on from what is true then.")
        raise


@app.command()
def demo(
    seed: Annotated[int, typer.Option(help="Which company to simulate.")] = 1,
    scale: Annotated[int, typer.Option(help="How many times its size; above 1 a stand-in plays the ERP.")] = 1,
    systems: Annotated[
        Systems, typer.Option(help="A CRM, a billing platform and an ERP, or all systems.")
    ] = Systems.FEW,
    fresh: Annotated[bool, typer.Option(help="Begin again from the company's first day.")] = False,
    as_json: AsJson = False,
    topology: Topology = SYNC_TOML,
) -> None:
    """Simulate a company in stand-ins and a real ERP, and bring its systems into agreement."""
    from sync_pipelines.sandbox.demo import Demo
    from sync_pipelines.terminal import Terminal

    terminal = Terminal(err if as_json else out)
    if systems is Systems.ALL:
        topology = topology.with_name("sync.all.toml")
    with Demo.open(topology, seed=seed, scale=scale, fresh=fresh, say=terminal.say) as running:
        summary = running.run(terminal)
    _hand_over(summary, as_json=as_json, terminal=terminal)
    if not as_json:
        out.print("Runs, lineage and checks of this very state in the Dagster UI: make ui", highlight=False)
    raise typer.Exit(DONE if summary["success"] else FAILED)


@app.command()
def ui(
    port: Annotated[int, typer.Option(help="Where the Dagster UI listens, on 127.0.0.1.")] = 3000,
    topology: Topology = SYNC_TOML,
) -> None:
    """Open the Dagster UI on the demo's state, with its systems running, until Ctrl-C."""
    from sync_pipelines.sandbox.demo import Demo

    with Demo.reopen(topology, say=out.print) as running:
        raise typer.Exit(running.serve_ui(port))


@app.command()
def serve(topology: Topology = SYNC_TOML) -> None:
    """Keep the demo's systems running for other commands, until Ctrl-C, and say where they are."""
    from sync_pipelines.sandbox.demo import Demo

    with Demo.reopen(topology, say=err.print) as running:
        for name, value in running.addresses.items():
            out.print(f"export {name}={shlex.quote(value)}", soft_wrap=True, highlight=False)
        err.print("Paste these lines into another terminal. Ctrl-C stops the systems.")
        signal.pause()


@app.command()
def run(
    domains: Domains = None,
    incremental: Annotated[
        bool, typer.Option("--incremental", help="Read changes only; skip counts and sweeps.")
    ] = False,
    as_json: AsJson = False,
    topology: Topology = SYNC_TOML,
) -> None:
    """Run the loop once: extract, conform, match, plan, apply, reconcile, report."""
    summary = _walk(topology, domains, mode="incremental" if incremental else "full", as_json=as_json)
    raise typer.Exit(DONE if summary["success"] else FAILED)


@app.command()
def plan(domains: Domains = None, as_json: AsJson = False, topology: Topology = SYNC_TOML) -> None:
    """Show what would be written, record by record and field by field; writes to no system."""
    from sync_pipelines.course import VERBS

    verbs = [verb for verb in VERBS if verb in {"extract", "conform", "match", "plan"}]
    summary = _walk(topology, domains, verbs=verbs, as_json=as_json, show="plan")
    raise typer.Exit(FAILED if summary["not_run"] else DIFFERENCES if summary["planned"] else DONE)


@app.command()
def apply(
    run_id: Annotated[str, typer.Argument(help="The run whose plans to apply; the newest when none is named.")] = "",
    as_json: AsJson = False,
    topology: Topology = SYNC_TOML,
) -> None:
    """Carry out the plans that were saved by `plan`, exactly; applying them twice changes nothing."""
    with _ledger(topology) as ledger:
        chosen = run_id or next((run.run_id for run in ledger.latest_runs(most=50) if ledger.plans(run.run_id)), "")
        domains = list({plan.origin.domain: None for plan in ledger.plans(chosen)}) if chosen else []
    if not domains:
        raise FixConfiguration("no run has a plan: make one with `sync-pipelines plan`")
    summary = _walk(topology, domains, verbs=["apply"], as_json=as_json, run_id=chosen)
    raise typer.Exit(DONE if summary["success"] else FAILED)


@app.command()
def plans(as_json: AsJson = False, topology: Topology = SYNC_TOML) -> None:
    """List the plans that are not carried out yet, with what waits in them and for whom."""
    from sync_pipelines import approval
    from sync_pipelines.terminal import Terminal

    with _deciding(topology) as (settings, ledger):
        told = [approval.told(each, settings) for each in approval.open_plans(ledger, settings, now=ledger.clock.now())]
    if as_json:
        _print_json(told)
    else:
        Terminal(out).open_plans(told)


@app.command()
def show(
    plan_id: Annotated[str, typer.Argument(metavar="PLAN", help="The plan, as `sync-pipelines plans` names it.")],
    as_json: AsJson = False,
    topology: Topology = SYNC_TOML,
) -> None:
    """Show an open plan: each field before and after, what amount moves where, what waits and who may approve it."""
    from sync_pipelines import approval
    from sync_pipelines.terminal import Terminal

    with _deciding(topology) as (settings, ledger):
        assessed = approval.open_plan(ledger, settings, plan_id, now=ledger.clock.now())
        told = approval.told(assessed, settings) | {"authors": approval.written_by(ledger, assessed.plan.origin)}
    if as_json:
        _print_json(told)
    else:
        Terminal(out).open_plan(told, [each.write for each in (*assessed.waiting, *assessed.ready)])


@app.command()
def approve(
    plan_id: Annotated[str, typer.Argument(metavar="PLAN", help="The plan, as `sync-pipelines plans` names it.")],
    reason: Annotated[str, typer.Option(help="Why it is right, for the audit trail.")],
    write: Annotated[list[str] | None, typer.Option(help="A write of the plan, by the start of its id.")] = None,
    by: Annotated[str, typer.Option("--as", help="Who approves; the user of this machine when nobody is named.")] = "",
    topology: Topology = SYNC_TOML,
) -> None:
    """Approve what waits in a plan, or some writes of it; `sync-pipelines apply` or the next run sends it."""
    from sync_pipelines import approval
    from sync_pipelines.engine.policy import UNKNOWN

    with _deciding(topology) as (settings, ledger):
        given = approval.Opinion(by or getpass.getuser(), reason, ledger.clock.now())
        approved = approval.approve(ledger, settings, plan_id, given, write_ids=write or ())
    unknown = [what for what, author in approved.authors.items() if author == UNKNOWN]
    out.print(f"{approved.count:,} approved; `sync-pipelines apply` sends them.", highlight=False)
    if unknown:
        out.print(f"Nobody knows who wrote {', '.join(unknown)}.", highlight=False)
    if approved.unknown_editors:
        out.print(f"Of {approved.unknown_editors:,} nobody knows who edited the record.", highlight=False)


@app.command()
def reject(
    what: Annotated[str, typer.Argument(metavar="PLAN|WRITE", help="A plan, or a write by the start of its id.")],
    reason: Annotated[str, typer.Option(help="What is wrong with it; it stands in the exception.")],
    by: Annotated[str, typer.Option("--as", help="Who rejects; the user of this machine when nobody is named.")] = "",
    topology: Topology = SYNC_TOML,
) -> None:
    """Refuse what waits in a plan, or one write: the very same is not planned again."""
    from sync_pipelines import approval

    with _deciding(topology) as (settings, ledger):
        given = approval.Opinion(by or getpass.getuser(), reason, ledger.clock.now())
        count = approval.reject(ledger, settings, what, given)
    out.print(f"{count:,} rejected; the next run raises an exception for each.", highlight=False)


@app.command()
def reconcile(domains: Domains = None, as_json: AsJson = False, topology: Topology = SYNC_TOML) -> None:
    """Compare the systems as they are, write nothing to them, and report every difference."""
    from sync_pipelines.course import VERBS

    verbs = [verb for verb in VERBS if verb not in {"plan", "apply"}]
    summary = _walk(topology, domains, verbs=verbs, as_json=as_json)
    raise typer.Exit(FAILED if summary["not_run"] else DIFFERENCES if summary["findings"] else DONE)


@app.command()
def status(
    number: Annotated[str, typer.Argument(help="An order, invoice or customer number; without it: the last run.")] = "",
    as_json: AsJson = False,
    topology: Topology = SYNC_TOML,
) -> None:
    """Tell what became of a business transaction, or how the last run went."""
    from sync_pipelines.chronicle import FOR_PEOPLE, tell
    from sync_pipelines.terminal import Terminal

    with _deciding(topology) as (settings, ledger):
        told = tell(settings, ledger, number) if number else _last_run(ledger)
    if as_json:
        _print_json(told)
    else:
        Terminal(out).story({name: rows for name, rows in told.items() if name in FOR_PEOPLE} if number else told)


@app.command()
def pause(
    system: System,
    reason: Annotated[str, typer.Option(help="Why, for the audit trail and for those who wait.")],
    until: Annotated[
        str, typer.Option(help="A span (45m, 2h, 1d) or an instant with its zone; else until resumed.")
    ] = "",
    topology: Topology = SYNC_TOML,
) -> None:
    """Have nothing written to a system for a while: writes queue, reading and planning go on."""
    from sync_pipelines.clock import SystemClock

    end = _instant(until, now=SystemClock().now()) if until else None
    with _ledger(topology, system) as ledger:
        ledger.pause(system, until=end, by=getpass.getuser(), reason=reason)
    lasts = f"until {end:%Y-%m-%d %H:%M} UTC" if end else f"until `sync-pipelines resume {system}`"
    out.print(f"Nothing is written to {system} {lasts}.", highlight=False)


@app.command()
def resume(
    system: System,
    reason: Annotated[str, typer.Option(help="Why, for the audit trail.")],
    topology: Topology = SYNC_TOML,
) -> None:
    """End a pause, and have a system that is left alone because it was down asked at once."""
    with _ledger(topology, system) as ledger:
        resumed = ledger.resume(system, by=getpass.getuser(), reason=reason)
    if not resumed:
        raise FixConfiguration(f"{system} is neither paused nor left alone: see `sync-pipelines status`")
    out.print(f"The next run asks {system}, and writes what is to be written.", highlight=False)


@app.command()
def confirm(
    system: System,
    identity: Annotated[str, typer.Argument(help="The organisation that is meant, as the refusal named it.")],
    reason: Annotated[str, typer.Option(help="Why it is another one, for the audit trail.")],
    topology: Topology = SYNC_TOML,
) -> None:
    """Say that another organisation behind a system's credentials is meant, and holds the same records."""
    with _ledger(topology, system) as ledger:
        before = ledger.confirm_identity(system, identity, by=getpass.getuser(), reason=reason)
    if before is None:
        raise FixConfiguration(f"no run has met {system} yet: the first one takes whom it meets")
    out.print(f"{system} is {identity} from now on; it was {before}.", highlight=False)


@verifying.command("audit")
def verify_audit(
    head: Annotated[bool, typer.Option("--head", help="Print the newest entry, to be kept elsewhere.")] = False,
    expect: Annotated[str, typer.Option(help="A head that was kept: the trail must still hold it.")] = "",
    topology: Topology = SYNC_TOML,
) -> None:
    """Check the audit trail: whether any entry was edited, removed, inserted or reordered."""
    from sync_pipelines.ledger.audit import Head

    kept = Head.parse(expect) if expect else None
    with _ledger(topology) as ledger:
        if head:
            out.print(str(ledger.audit_head()), soft_wrap=True, highlight=False)
            return
        verdict = ledger.audit_verdict(expected=kept)
    if verdict.broken is not None:
        err.print(f"[bold red]The audit trail is broken at entry {verdict.broken:,}[/]: {verdict.reason}.")
        raise typer.Exit(FAILED)
    out.print(f"The audit trail is whole: {verdict.entries:,} entries.", highlight=False)
    out.print(f"Its head, to be kept elsewhere: {verdict.head}", soft_wrap=True, highlight=False)


@app.command()
def report(topology: Topology = SYNC_TOML) -> None:
    """Say where the newest finance check report is."""
    from sync_pipelines import config

    folder = config.load(topology, strict=False).state / "reports"
    newest = max(folder.glob("finance-*.html"), key=lambda path: path.stat().st_mtime, default=None)
    if newest is None:
        raise FixConfiguration(f"no report in {folder} yet: run `sync-pipelines run` first")
    out.print(str(newest), soft_wrap=True, highlight=False)


@app.command()
def doctor(as_json: AsJson = False, topology: Topology = SYNC_TOML) -> None:
    """Say what is wrong with the configuration, and how to mend it."""
    from sync_pipelines.doctor import examine
    from sync_pipelines.terminal import Terminal

    complaints = list(examine(topology))
    if as_json:
        _print_json([asdict(complaint) for complaint in complaints])
    else:
        Terminal(out).diagnosis(complaints)
    raise typer.Exit(DONE if all(complaint.well for complaint in complaints) else MISCONFIGURED)


@app.command()
def sandbox(
    vendor: Annotated[str, typer.Argument(help="salesforce or stripe")],
    port: Annotated[int, typer.Option(help="Where it listens, on 127.0.0.1; 0 picks a free port.")] = 0,
    state: Annotated[Path | None, typer.Option(help="The file that keeps its records; in memory without.")] = None,
) -> None:
    """Serve a local stand-in for a vendor's API until Ctrl-C."""
    from sync_pipelines.sandbox.launch import VENDORS, run

    if vendor not in VENDORS:
        raise FixConfiguration(f"no stand-in for {vendor!r}; there are {', '.join(VENDORS)}")
    run(vendor, port=port, state=state)


def _last_run(ledger: Ledger) -> dict[str, Any]:
    from sync_pipelines.clock import SystemClock

    runs, now = ledger.latest_runs(most=1), SystemClock().now()
    if not runs:
        raise FixConfiguration("there was no run yet: `make demo` makes one on a simulated company")
    run = runs[0]
    return {
        "Last run": [{"run": run.run_id, "mode": run.mode, "state": run.state, "started": run.started_at}],
        "Came to": [{"what": key, "is": value} for key, value in run.summary.items()],
        "Open exceptions": [{"owner": owner, "count": n} for owner, n in ledger.exceptions_by_owner().items()],
        "Systems left alone": [
            {"system": c.system, "since": c.opened_at, "asked again": c.retry_at, "why": c.reason}
            for c in ledger.systems_down()
        ],
        "Systems paused": [
            {"system": p.system, "until": p.until, "by": p.paused_by, "why": p.reason}
            for p in ledger.pauses().values()
            if p.until is None or now < p.until
        ],
    }


def _walk(
    path: Path,
    domains: list[str] | None,
    *,
    mode: str = "full",
    verbs: list[str] | None = None,
    as_json: bool = False,
    run_id: str = "",
    show: str = "",
) -> dict[str, Any]:
    """Walk the course in this process, telling progress; returns the run's summary."""
    from sync_pipelines import config, planes
    from sync_pipelines.course import VERBS, course, walk
    from sync_pipelines.loop import Loop
    from sync_pipelines.terminal import Terminal, line

    topology = config.load(path)
    terminal = Terminal(err if as_json else out)
    chosen = _chosen(domains, list(topology.domains))
    planned, skipped = [], 0
    with (
        planes.server(topology),
        Loop.open(topology, run_id=run_id or str(uuid4()), mode="full" if mode == "full" else "incremental") as loop,
    ):
        steps = course(loop, chosen, verbs or VERBS)
        with terminal.progress(len(steps)) as tell:
            for told in walk(steps):
                tell(line(told))
                skipped += told.outcome is None
                if told.step.verb == "plan" and told.outcome is not None:
                    planned.append(told.outcome)
        summary = loop.summary()
        unsent = summary["writes"]["failed"] + summary["writes"]["in_doubt"]
        summary |= {"success": not skipped and not unsent, "planned": sum(each.writes for each in planned)}
        if show == "plan":
            writes = {each.plan_id: [saved.write for saved in loop.ledger.writes(each.plan_id)] for each in planned}
            terminal.plans(planned, writes.__getitem__)
            summary["plans"] = [_told(each, writes[each.plan_id]) for each in planned if each.writes]
    if as_json or show != "plan":
        _hand_over(summary, as_json=as_json, terminal=terminal)
    return summary


def _told(planned: Planned, writes: Sequence[Write]) -> dict[str, Any]:
    """A plan for machines: what would be written, field by field, and what amount moves where."""
    from sync_pipelines.engine.plan import moves

    rows = [
        {
            "operation": write.request.operation,
            "object": write.request.object,
            "record_id": write.request.record_id,
            "label": write.label,
            "link_id": write.link_id,
            "write_id": write.request.write_id,
            "amount_minor": write.amount_minor,
            "currency": write.currency,
            "approved_by_team": write.approved_by_team,
            "changes": [asdict(change) for change in write.changes],
        }
        for write in writes
    ]
    return {
        "domain": planned.domain,
        "target": planned.target,
        "plan_id": planned.plan_id,
        "past_limit": planned.waits,
        "waiting": planned.waiting,
        "moves": [asdict(move) for move in moves(writes)],
        "writes": rows,
    }


def _chosen(asked: list[str] | None, known: list[str]) -> list[str]:
    if unknown := sorted(set(asked or ()) - set(known)):
        raise FixConfiguration(f"no domain {', '.join(unknown)}; there are {', '.join(known)}")
    return asked or known


def _instant(text: str, *, now: datetime) -> datetime:
    """When a span from now is over, or the instant that a text names."""
    units = {"m": "minutes", "h": "hours", "d": "days"}
    if text[-1] in units and text[:-1].isdigit():
        return now + timedelta(**{units[text[-1]]: int(text[:-1])})
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise FixConfiguration(f"--until {text!r} is no time: say 45m, 2h, 1d or 2026-12-31T23:00-05:00") from None
    if at.tzinfo is None:
        raise FixConfiguration(f"--until {text!r} names no zone: say 2026-12-31T23:00-05:00, or ...Z for UTC")
    if at <= now:
        raise FixConfiguration(f"--until {text!r} is over already")
    return at.astimezone(UTC)


def _hand_over(summary: dict[str, Any], *, as_json: bool, terminal: Any) -> None:
    if as_json:
        _print_json(summary)
    else:
        terminal.summary(summary)


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")


@contextmanager
def _ledger(path: Path, system: str = "") -> Iterator[Ledger]:
    """The ledger alone; a `system` that is named has to be in the topology."""
    from sync_pipelines import config, planes
    from sync_pipelines.ledger import Ledger

    topology = config.load(path, strict=False)
    if system and system not in topology.systems:
        raise FixConfiguration(f"no system {system!r}; there are {', '.join(topology.systems)}")
    with planes.server(topology):
        ledger = Ledger.open(planes.database_url(topology), actor=planes.actor())
        try:
            yield ledger
        finally:
            ledger.close()


@contextmanager
def _deciding(path: Path) -> Iterator[tuple[config.Topology, Ledger]]:
    """The ledger, and the topology whose people and policies decide."""
    from sync_pipelines import config

    with _ledger(path) as ledger:
        yield config.load(path, strict=False), ledger
