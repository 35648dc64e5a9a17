"""What people see in a terminal: progress while it runs, and afterwards what happened, in finance's words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from sync_pipelines.domains.money import spell
from sync_pipelines.engine.outcome import Planned, Result
from sync_pipelines.engine.plan import Move, Write, moves

if TYPE_CHECKING:
    from sync_pipelines.course import Told

Line = Mapping[str, Any]
"""One step that ended: step, state, counts, failed_checks, not_checked, seconds, error."""

_SHOWN = ("read", "appended", "deleted", "records", "quarantined", "added", "creates", "updates", "held", "confirmed")
_SIGN = {"create": "[green]+[/]", "update": "[yellow]~[/]", "replace": "[magenta]±[/]"}


def line(told: Told) -> Line:
    """A step of a walk as a progress line, the same as the graph's launcher prints."""
    outcome = told.outcome
    counts = {name: getattr(outcome, name) for name in _SHOWN if isinstance(getattr(outcome, name, None), int)}
    counts |= {str(state): n for state, n in getattr(outcome, "states", {}).items()}
    return {
        "step": told.step.subject,
        "state": "skipped" if outcome is None else "done",
        "counts": counts,
        "note": told.reason or getattr(outcome, "queued", ""),
        "failed_checks": [check.name for check in told.checks if check.result is Result.FAILED],
    }


class Terminal:
    """Tells a run on a console."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def say(self, sentence: str) -> None:
        """One thing that is being done, before it is done."""
        self.console.print(f"[bold cyan]›[/] {escape(sentence)}", highlight=False)

    @contextmanager
    def progress(self, total: int) -> Iterator[Callable[[Line], None]]:
        """A bar over all steps; the function it hands out prints each step that ended."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self.console, transient=True) as bar:
            task = bar.add_task("steps", total=total)

            def tell(ended: Line) -> None:
                bar.update(task, advance=1, description=ended["step"])
                self._step(ended)

            yield tell

    def _step(self, ended: Line) -> None:
        signs = {"done": "[green]✓[/]", "failed": "[bold red]✗[/]", "skipped": "[dim]-[/]"}
        counts = ", ".join(f"{name} {count:,}" for name, count in ended["counts"].items() if name in _TOLD and count)
        broken = ", ".join(ended.get("failed_checks", ()))
        text = f"{signs[ended['state']]} {escape(ended['step']):<34} [dim]{counts}[/]"
        text += f"  [yellow]{escape(broken)}[/]" if broken else ""
        text += f"  [dim]{escape(ended['note'])}[/]" if ended.get("note") else ""
        text += f"\n    [red]{escape(str(ended['error']))}[/]" if ended.get("error") else ""
        self.console.print(text, highlight=False)

    def plans(self, planned: Sequence[Planned], writes_of: Callable[[str], Sequence[Write]]) -> None:
        """A plan as a diff: what would be created and changed, field by field."""
        for plan in planned:
            if plan.writes:
                self.console.print(f"\n[bold]{plan.domain} → {plan.target}[/]  [dim]{plan.plan_id}[/]", highlight=False)
                writes = writes_of(plan.plan_id)
                for write in writes:
                    self._write(write)
                self._moves(moves(writes))
                self._waits(plan.waiting, plan.waits)
        creates, updates, held = (sum(getattr(p, name) for p in planned) for name in ("creates", "updates", "held"))
        self.console.print(f"\n[bold]Plan:[/] {creates} to create, {updates} to change, {held} held back.")
        if creates + updates:
            self.console.print("Nothing has been written. `sync-pipelines apply` carries out exactly these plans.")

    def _write(self, write: Write) -> None:
        sign = _SIGN[write.request.operation]
        worth = spell(write.amount_minor, write.currency) if write.amount_minor and write.currency else ""
        self.console.print(f"  {sign} {escape(write.label)}  [dim]{worth}[/]", highlight=False)
        for change in write.changes:
            before = f"[red]{escape(change.before)}[/] → " if change.before is not None else ""
            self.console.print(
                f"      {change.field}: {before}[green]{escape(change.after or 'nothing')}[/]", highlight=False
            )

    def _moves(self, found: Sequence[Move]) -> None:
        """What amount moves, per legal entity, currency and month."""
        if not found:
            return
        table = Table("Legal entity", "Month", "Writes", "Amount", box=None, pad_edge=False)
        for each in found:
            amount = spell(each.amount_minor, each.currency)
            table.add_row(each.legal_entity or "none named", each.period or "no date", f"{each.count:,}", amount)
        self.console.print(table)

    def _waits(self, count: int, past: str) -> None:
        if past:
            self.console.print(f"[yellow]The whole plan waits, being past a limit: {escape(past)}.[/]", highlight=False)
        elif count:
            self.console.print(f"[yellow]{count:,} of these wait for approval.[/]", highlight=False)

    def open_plans(self, plans: Sequence[Mapping[str, Any]]) -> None:
        """The plans that are not carried out yet: a line for each, and what waits for whom."""
        if not plans:
            self.console.print("No plan is open: nothing waits for anybody.")
        for plan in plans:
            ready, waiting = f"{plan['ready']:,} ready", f"{len(plan['waiting']):,} waiting"
            heading = f"[bold]{plan['domain']} → {plan['target']}[/]  {plan['plan']}  {ready}, {waiting}"
            self.console.print(heading, highlight=False)
            self._approvers(plan)

    def open_plan(self, plan: Mapping[str, Any], writes: Sequence[Write]) -> None:
        """One open plan, so that a person can judge it."""
        ids = {each["write"]: each for each in plan["waiting"]}
        self.open_plans([plan])
        for write in writes:
            self._write(write)
            if told := ids.get(write.request.write_id):
                edited = told["edited_by"] or "unknown"
                why = f"{told['write'][:12]}  {told['why']}; edited by {edited}"
                self.console.print(f"      [dim]{escape(why)}[/]", highlight=False)
        self._moves([Move(**each) for each in plan["moves"]])
        for what, author in plan["authors"].items():
            self.console.print(f"  [dim]{escape(what)} was written by {escape(author)}[/]", highlight=False)

    def _approvers(self, plan: Mapping[str, Any]) -> None:
        self._waits(len(plan["waiting"]), plan["past_limit"])
        for approvers in plan["approvers"].values():
            self.console.print(f"  may approve: {escape(approvers)}", highlight=False)

    def summary(self, summary: Mapping[str, Any]) -> None:
        """What a run came to, in the words of those who sign for it."""
        say = self.console.print
        read = sum(summary["read"].values())
        writes = summary["writes"]
        say()
        say(f"[bold]Read[/] {read:,} records: {_listed(summary['read'])}.", highlight=False)
        say(f"[bold]Linked[/] across systems: {_listed(summary['linked'])}.", highlight=False)
        waits = summary.get("waiting", {})
        if any(writes.values()) or summary.get("queued") or summary.get("not_run") or waits:
            say(f"[bold]Written[/]: {_listed(writes)}.", highlight=False)
        else:
            say("[bold]Written[/]: nothing. Every plan was empty.", highlight=False)
        if waits:
            say(f"[bold]Waiting[/] for approval: {_listed(waits)}. See `sync-pipelines plans`.", highlight=False)
        self._waiting(summary)
        self._findings(summary)
        exceptions = summary["exceptions"]
        if exceptions:
            owners = "; ".join(f"{owner} {count}" for owner, count in sorted(exceptions.items()))
            say(f"[bold]Exceptions[/] that need a person: {owners}.", highlight=False)
        else:
            say("[bold]Exceptions[/]: none.")
        say(f"[bold]Checks[/]: {_listed(summary['checks'])}.", highlight=False)
        if summary.get("report"):
            say(f"\nFinance check report: {summary['report']}", highlight=False, soft_wrap=True)

    def _waiting(self, summary: Mapping[str, Any]) -> None:
        """What was not written or not made, and why."""
        for system, held in summary.get("queued", {}).items():
            self.console.print(
                f"[bold]Queued[/] for {system}: {held['writes']:,} writes, {held['why']}", highlight=False
            )
        left_out = summary.get("not_run", {})
        if left_out:
            first, why = next(iter(left_out.items()))
            self.console.print(
                f"[bold red]Not run[/]: {len(left_out)} steps, nothing of which is proven; the first, "
                f"{escape(first)}: {escape(why)}",
                highlight=False,
            )

    def _findings(self, summary: Mapping[str, Any]) -> None:
        if not summary["findings"]:
            agreed = "None in what was compared." if summary.get("not_run") else "none. All systems agree."
            self.console.print(f"[bold]Findings[/]: {agreed}")
            return
        table = Table(
            "Domain", "Findings", "At stake", title="Findings", title_justify="left", box=None, pad_edge=False
        )
        for domain, kinds in summary["findings"].items():
            stake = summary.get("at_stake", {}).get(domain, {})
            table.add_row(domain, _listed(kinds), ", ".join(spell(a, c) for c, a in sorted(stake.items()) if a))
        self.console.print(table)

    def story(self, told: Mapping[str, Any]) -> None:
        """Everything that is known of one business transaction, or of the last run."""
        for heading, rows in told.items():
            self.console.print(f"\n[bold]{heading}[/]")
            if not isinstance(rows, list):
                self.console.print(f"  {escape(str(rows))}", highlight=False)
                continue
            for row in rows:
                text = "  ".join(f"[dim]{k}[/] {escape(str(v))}" for k, v in row.items() if v not in (None, "", {}, []))
                self.console.print(f"  {text}", highlight=False)

    def diagnosis(self, complaints: Sequence[Any]) -> None:
        """What doctor found: each thing it looked at, and what to do about those that are ill."""
        for complaint in complaints:
            sign = "[green]✓[/]" if complaint.well else "[bold red]✗[/]"
            self.console.print(f"{sign} {escape(complaint.subject)}: {escape(complaint.told)}", highlight=False)


_TOLD = {*_SHOWN, "refused", "failed", "in_doubt", "ambiguous", "duplicates", "findings"} - {"appended"}


def _listed(counts: Mapping[str, int]) -> str:
    shown = [f"{name.replace('_', ' ')} {count:,}" for name, count in counts.items() if count]
    return ", ".join(shown) or "none"
