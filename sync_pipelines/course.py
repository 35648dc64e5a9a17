"""The course of a whole run: which steps follow which, and walking them in this process without a scheduler."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sync_pipelines.domains import DOMAINS
from sync_pipelines.engine.outcome import Check, Result
from sync_pipelines.engine.topology import Topology
from sync_pipelines.errors import RetryLater
from sync_pipelines.loop import Loop

VERBS = ("extract", "conform", "match", "plan", "apply", "reconcile", "report")


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its address in the graph, its verb, and the call that makes it."""

    subject: str
    verb: str
    domain: str
    call: Callable[[], Any]
    system: str = ""
    """The one system that it asks or works for; empty where there are several or none."""
    needs: Sequence[str] = ()
    """The systems without which it is not made."""
    leave_out: Callable[[str], None] = lambda reason: None
    """Notes that it was not made, and why."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a step came to; `outcome` is None where it was not made, and `reason` says why."""

    step: Step
    outcome: Any
    reason: str = ""

    @property
    def checks(self) -> Sequence[Check]:
        return getattr(self.outcome, "checks", ())


def course(loop: Loop, domains: Sequence[str], verbs: Sequence[str] = VERBS) -> list[Step]:
    """The steps of a run over some domains, in an order that respects what depends on what."""
    topology = loop.topology
    ordered = [name for name in DOMAINS if name in domains]
    needed = dict.fromkeys(
        (system, name)
        for domain in ordered
        for system in topology.domains[domain].systems
        for name in [*loop.objects_of(domain, system), *loop.objects_for_writing(domain, system)]
    )
    steps = [_extraction(loop, system, name) for system, name in needed]
    for domain in ordered:
        steps += _domain(loop, topology, domain)
    steps.append(Step("report/finance", "report", "", loop.report))
    return [step for step in steps if step.verb in verbs]


def _extraction(loop: Loop, system: str, name: str) -> Step:
    subject = f"{system}/{name}"
    return Step(
        subject,
        "extract",
        "",
        partial(loop.extract, system, name),
        system=system,
        needs=[system],
        leave_out=partial(loop.leave_out, subject),
    )


def _domain(loop: Loop, topology: Topology, domain: str) -> Iterator[Step]:
    settings = topology.domains[domain]

    def step(name: str, verb: str, call: Callable[[], Any], system: str = "") -> Step:
        subject = f"{domain}/{name}"
        leave_out = partial(loop.leave_out, subject)
        return Step(subject, verb, domain, call, system=system, needs=settings.systems, leave_out=leave_out)

    for system in settings.systems:
        yield step(system, "conform", partial(loop.conform, domain, system), system)
    yield step("links", "match", partial(loop.match, domain))
    for target in settings.targets:
        yield step(f"plan/{target}", "plan", partial(loop.plan, domain, target), target)
        yield step(f"writes/{target}", "apply", partial(loop.apply, domain, target), target)
    yield step("reconciliation", "reconcile", partial(loop.reconcile, domain))


def walk(steps: Sequence[Step]) -> Iterator[Told]:
    """Make the steps one by one, and leave out what can't be made.

    Behind a failed blocking check that is the rest of its domain, and the domains that refer to it. A system
    that can't be asked is missed by all that needs it; what needs only others goes on.
    """
    stopped: dict[str, str] = {}
    missing: dict[str, str] = {}
    for step in steps:
        why = stopped.get(step.domain) or next((missing[each] for each in step.needs if each in missing), "")
        told = Told(step, None, why) if why else _made(step)
        if told.outcome is None:
            step.leave_out(told.reason)
        if told.outcome is None and not why:
            missing |= {step.system: f"it needs {step.system}, which can't be asked now"} if step.system else {}
            stopped |= {step.domain: f"it follows {step.subject}, which was not made"} if step.domain else {}
        failed = [check.name for check in told.checks if check.blocking and check.result is Result.FAILED]
        if failed and step.domain:
            behind = f"it stands behind {failed[0]} of {step.subject}, which failed"
            stopped |= dict.fromkeys([step.domain, *_dependents(step.domain)], behind)
        yield told


def _made(step: Step) -> Told:
    """A step that was made, or that could not be because a system asks for patience."""
    try:
        return Told(step, step.call())
    except RetryLater as later:
        return Told(step, None, str(later))


def _dependents(domain: str) -> set[str]:
    """The domains whose records refer to a domain, directly or through another."""
    direct = {d.name for d in DOMAINS.values() if any(f.refers_to == domain for f in d.references)}
    return direct.union(*(_dependents(name) for name in direct))
