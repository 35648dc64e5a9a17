"""The course of a whole run: which steps follow which, and walking them in this process without a scheduler."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sync_pipelines.domains import DOMAINS
from sync_pipelines.engine.outcome import Check, Result
from sync_pipelines.engine.topology import Topology
from sync_pipelines.loop import Loop

VERBS = ("extract", "conform", "match", "plan", "apply", "reconcile", "report")


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its address in the graph, its verb, and the call that makes it."""

    subject: str
    verb: str
    domain: str
    call: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Told:
    """What a step came to; `outcome` is None where a failed blocking check kept it from running."""

    step: Step
    outcome: Any

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
    return Step(f"{system}/{name}", "extract", "", partial(loop.extract, system, name))


def _domain(loop: Loop, topology: Topology, domain: str) -> Iterator[Step]:
    settings = topology.domains[domain]
    for system in settings.systems:
        yield Step(f"{domain}/{system}", "conform", domain, partial(loop.conform, domain, system))
    yield Step(f"{domain}/links", "match", domain, partial(loop.match, domain))
    for target in settings.targets:
        yield Step(f"{domain}/plan/{target}", "plan", domain, partial(loop.plan, domain, target))
        yield Step(f"{domain}/writes/{target}", "apply", domain, partial(loop.apply, domain, target))
    yield Step(f"{domain}/reconciliation", "reconcile", domain, partial(loop.reconcile, domain))


def walk(steps: Sequence[Step]) -> Iterator[Told]:
    """Make the steps one by one; behind a failed blocking check the rest of its domain is left out."""
    stopped: set[str] = set()
    for step in steps:
        if step.domain in stopped:
            yield Told(step, None)
            continue
        told = Told(step, step.call())
        if step.domain and any(check.blocking and check.result is Result.FAILED for check in told.checks):
            stopped |= {step.domain, *_dependents(step.domain)}
        yield told


def _dependents(domain: str) -> set[str]:
    """The domains whose records refer to a domain, directly or through another."""
    direct = {d.name for d in DOMAINS.values() if any(f.refers_to == domain for f in d.references)}
    return direct.union(*(_dependents(name) for name in direct))
