"""The course of a run: what follows what, and what is left out behind a failed blocking check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sync_pipelines import config
from sync_pipelines.course import VERBS, Step, course, walk
from sync_pipelines.domains import DOMAINS
from sync_pipelines.engine.outcome import Check, Result
from sync_pipelines.engine.topology import Topology
from sync_pipelines.errors import RetryLater


@dataclass(frozen=True)
class Outcome:
    checks: Sequence[Check] = ()


@dataclass
class Itinerary:
    """A loop that notes which steps are made; `says` are the checks of a subject."""

    topology: Topology
    says: dict[str, Check] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)

    def objects_of(self, domain: str, system: str) -> list[str]:
        return ["people" if domain == "customer" else "things"]

    def objects_for_writing(self, domain: str, system: str) -> list[str]:
        return ["books"] if (domain, system) == ("invoice", "tryton") else []

    def _note(self, subject: str) -> Outcome:
        self.made.append(subject)
        return Outcome((self.says[subject],) if subject in self.says else ())

    def extract(self, system: str, name: str) -> Outcome:
        return self._note(f"{system}/{name}")

    def conform(self, domain: str, system: str) -> Outcome:
        return self._note(f"{domain}/{system}")

    def match(self, domain: str) -> Outcome:
        return self._note(f"{domain}/links")

    def plan(self, domain: str, target: str) -> Outcome:
        return self._note(f"{domain}/plan/{target}")

    def apply(self, domain: str, target: str) -> Outcome:
        return self._note(f"{domain}/writes/{target}")

    def reconcile(self, domain: str) -> Outcome:
        return self._note(f"{domain}/reconciliation")

    def leave_out(self, subject: str, reason: str) -> None:
        self.left_out[subject] = reason

    def report(self) -> Path:
        self.made.append("report/finance")
        return Path("report.html")


@pytest.fixture(scope="module")
def topology() -> Topology:
    return config.load(Path(__file__).parents[2] / "sync.toml", environment={}, strict=False)


@pytest.fixture
def loop(topology: Topology) -> Itinerary:
    return Itinerary(topology)


def subjects(steps: Sequence[Step]) -> list[str]:
    return [step.subject for step in steps]


def test_a_domain_goes_from_its_records_to_its_reconciliation_target_by_target(loop: Any) -> None:
    assert subjects(course(loop, ["customer"])) == [
        "salesforce/people",
        "stripe/people",
        "tryton/people",
        "customer/salesforce",
        "customer/stripe",
        "customer/tryton",
        "customer/links",
        "customer/plan/stripe",
        "customer/writes/stripe",
        "customer/plan/tryton",
        "customer/writes/tryton",
        "customer/reconciliation",
        "report/finance",
    ]


def test_everything_is_read_first_once_and_with_what_writing_needs(loop: Any) -> None:
    steps = course(loop, list(DOMAINS))
    read = [step.subject for step in steps if step.verb == "extract"]

    assert subjects(steps)[: len(read)] == read
    assert len(read) == len(set(read))
    assert "tryton/books" in read


def test_domains_come_in_the_order_in_which_they_depend_on_one_another(loop: Any) -> None:
    asked = course(loop, ["entitlement", "product", "customer"], ["reconcile"])

    assert subjects(asked) == ["customer/reconciliation", "product/reconciliation", "entitlement/reconciliation"]


def test_every_domain_comes_after_those_that_its_records_refer_to(loop: Any) -> None:
    order = [step.domain for step in course(loop, list(DOMAINS), ["reconcile"])]

    for domain in DOMAINS.values():
        for reference in domain.references:
            assert order.index(reference.refers_to) < order.index(domain.name)


def test_only_the_verbs_that_were_asked_for_are_in_the_course(loop: Any) -> None:
    steps = course(loop, ["customer", "invoice"], ["plan"])

    assert subjects(steps) == ["customer/plan/stripe", "customer/plan/tryton", "invoice/plan/tryton"]
    assert {step.verb for step in course(loop, list(DOMAINS))} == set(VERBS)


def test_walking_makes_every_step_in_order(loop: Any) -> None:
    steps = course(loop, ["customer"])

    told = list(walk(steps))

    assert loop.made == subjects(steps) == [each.step.subject for each in told]
    assert told[-1].outcome == Path("report.html")
    assert told[-1].checks == ()


def failing(subject: str, *, blocking: bool = True, result: Result = Result.FAILED) -> dict[str, Check]:
    return {subject: Check("a_claim", subject, "It holds.", result, blocking=blocking)}


def skipped(loop: Any, domains: Sequence[str]) -> set[str]:
    return {told.step.subject for told in walk(course(loop, domains)) if told.outcome is None}


def test_a_failed_blocking_check_leaves_out_the_rest_of_its_domain_and_what_depends_on_it(loop: Any) -> None:
    loop.says = failing("customer/salesforce")

    left_out = skipped(loop, list(DOMAINS))

    assert {subject.split("/")[0] for subject in left_out} == {
        "customer", "contract", "order", "invoice", "entitlement",
    }  # fmt: skip
    assert "customer/salesforce" in loop.made
    assert "customer/stripe" in left_out
    assert {"product/reconciliation", "pricing/reconciliation", "report/finance"} <= set(loop.made)
    assert not left_out & set(loop.made)


def test_a_domain_on_which_nothing_depends_stops_alone(loop: Any) -> None:
    loop.says = failing("order/plan/tryton")

    assert skipped(loop, list(DOMAINS)) == {"order/writes/tryton", "order/reconciliation"}


@pytest.mark.parametrize(
    "says",
    [
        failing("customer/links", blocking=False),
        failing("customer/links", result=Result.NOT_CHECKED),
        failing("customer/links", result=Result.PASSED),
        failing("salesforce/people"),
    ],
)
def test_nothing_is_left_out_behind_any_other_check(loop: Any, says: dict[str, Check]) -> None:
    loop.says = says

    assert skipped(loop, list(DOMAINS)) == set()


def down(loop: Any, system: str, verbs: Sequence[str] = ("extract",)) -> None:
    """From now on a system can't be asked by these verbs."""
    for verb in verbs:
        asked = getattr(loop, verb)

        def ask(*names: str, asked: Any = asked) -> Outcome:
            if system in names:
                raise RetryLater(f"{system} is in maintenance")
            return asked(*names)

        setattr(loop, verb, ask)


def test_what_needs_a_system_that_is_down_is_left_out_and_the_rest_goes_on(loop: Any) -> None:
    down(loop, "tryton")

    left_out = skipped(loop, list(DOMAINS))

    assert {s.split("/")[0] for s in left_out} == {"tryton", "customer", "product", "pricing", "order", "invoice"}
    assert {"stripe/things", "contract/writes/stripe", "entitlement/reconciliation"} <= set(loop.made)
    assert loop.made[-1] == "report/finance"
    assert not left_out & set(loop.made)


def test_a_system_that_is_down_is_asked_once_in_a_run(loop: Any) -> None:
    asked: list[str] = []

    def extract(system: str, name: str) -> Outcome:
        asked.append(system)
        raise RetryLater(f"{system} is in maintenance")

    loop.extract = extract
    list(walk(course(loop, list(DOMAINS))))

    assert sorted(asked) == ["salesforce", "stripe", "tryton"]


def test_a_system_that_goes_down_while_it_is_written_stops_what_needs_it_from_there_on(loop: Any) -> None:
    down(loop, "stripe", ["apply"])

    left_out = skipped(loop, ["customer", "order"])

    assert left_out == {
        "customer/writes/stripe", "customer/plan/tryton", "customer/writes/tryton", "customer/reconciliation",
    }  # fmt: skip
    assert "order/reconciliation" in loop.made


def test_an_outage_in_the_middle_of_a_domain_leaves_out_the_rest_of_it(loop: Any) -> None:
    down(loop, "order", ["reconcile"])

    assert skipped(loop, list(DOMAINS)) == {"order/reconciliation"}


def test_every_step_that_is_left_out_is_noted_with_why(loop: Any) -> None:
    down(loop, "tryton")
    loop.says = failing("contract/links")

    told = [each for each in walk(course(loop, list(DOMAINS))) if each.outcome is None]

    assert loop.left_out == {each.step.subject: each.reason for each in told}
    assert loop.left_out["tryton/people"] == "tryton is in maintenance"
    assert loop.left_out["order/links"] == "it needs tryton, which can't be asked now"
    assert loop.left_out["contract/plan/stripe"] == "it stands behind a_claim of contract/links, which failed"
