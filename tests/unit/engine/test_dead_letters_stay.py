"""Whatever happens, a write that came to nothing has one open exception until its difference is gone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest
from hypothesis import settings as effort
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from scene import Scene

from sync_pipelines.engine import apply as applying
from sync_pipelines.engine.correction import Correction, body_hash, corrected
from sync_pipelines.engine.port import Request, State
from sync_pipelines.errors import RetryLater
from sync_pipelines.ledger import Assigned, Ledger, Origin, WorkItem
from sync_pipelines.testing.memory import MemorySystem, Stored
from tests.conftest import StandingClock

CODES, NAMES = st.sampled_from(["A", "B"]), st.sampled_from(["x", "y", "z"])
EVERYTHING = {"create": ["erp"], "update": ["erp"]}


@dataclass
class Company:
    """Products of a crm that an erp is to have, which refuses some of them and is down at times."""

    scene: Scene
    ledger: Ledger
    clock: StandingClock
    mark: str
    """Sets this company's records apart from those of others in the same ledger."""
    erp: MemorySystem = field(default_factory=lambda: MemorySystem(name="erp"))
    wanted: dict[str, str] = field(default_factory=dict)
    refusing: set[str] = field(default_factory=set)
    is_down: bool = False
    runs: int = 0

    def __post_init__(self) -> None:
        self.erp.refuse = lambda request: "it is locked" if self._code(request) in self.refusing else ""
        self.erp.before = self._answer

    def _answer(self, requests: object) -> None:
        if self.is_down:
            raise RetryLater("the erp is down")

    def _code(self, request: Request) -> str:
        held = self._things.get(request.record_id or "")
        return str(held.fields["code"] if held else request.body["code"]).removeprefix(self.mark)

    @property
    def _things(self) -> dict[str, Stored]:
        return self.erp.records.get("thing", {})

    @property
    def held(self) -> dict[str, str]:
        """What the erp has: names by code."""
        return {r.fields["code"].removeprefix(self.mark): r.fields["name"] for r in self._things.values()}

    def meddle(self, code: str, name: str) -> None:
        """Somebody changes the erp's record by hand."""
        for record_id, stored in list(self._things.items()):
            if stored.fields["code"] == self.mark + code:
                self.erp.put("thing", record_id, {**stored.fields, "name": name})

    def run(self) -> None:
        """The loop once."""
        self.runs += 1
        self.clock.sleep(60)
        self._look()
        made = self.ledger.open_corrections("product", "erp")
        planned, ended = corrected(self.scene.plan("erp"), made, held=self.scene.waiting("erp"))
        self.ledger.end_corrections("product", "erp", ended, why="something else is planned")
        plan = self.ledger.save_plan(Origin(f"run-{self.runs}", "product", "erp", 1, "m", "o"), planned)
        saved = self.ledger.verified_writes(plan.plan_id)
        self.clock.sleep(60)
        on = applying.Application(self.erp, self.ledger, lambda _: {}, self.clock)
        states = {each.write.request.write_id: each.state for each in saved}
        applying.apply(on, [each.write for each in saved if each.state is State.PLANNED], states)
        self._look()
        self.scene.dead_letters = self.ledger.dead_letters("product").to_pylist()
        self.scene.compare()
        found = [Assigned(item, "revops", 24, {"code": item.code}) for item in self.scene.items()]
        self.ledger.sync_work_items("product", found, run_id=f"run-{self.runs}")

    def _look(self) -> None:
        crm = [_row(self._lead(code), self.mark + code, name) for code, name in self.wanted.items()]
        erp = [
            {**_row(i, r.fields["code"], r.fields["name"]), "version": str(r.revision)} for i, r in self._things.items()
        ]
        self.scene.hold("crm", *crm)
        self.scene.hold("erp", *erp)
        self.scene.match()

    def _lead(self, code: str) -> str:
        return f"crm-{self.mark}{code}"

    def open_about(self, code: str) -> list[WorkItem]:
        link = next((e["link_id"] for e in self.scene.links if e["record_id"] == self._lead(code)), "")
        ids = {e["record_id"] for e in self.scene.links if e["link_id"] == link}
        return [item for item in self.ledger.open_work_items(domain="product") if item.record_id in ids]

    def finding_kinds(self, code: str) -> set[str]:
        found = self.scene.lake.rows("SELECT kind FROM found WHERE record_a = ?", (self._lead(code),))
        return {kind for (kind,) in found}


def _row(record_id: str, code: str, name: str) -> dict[str, Any]:
    return {"record_id": record_id, "code": code, "name": name, "is_active": True}


class DeadLetters(RuleBasedStateMachine):
    """People and systems do as they like; every run is judged."""

    opened: Callable[[], Company]

    def __init__(self) -> None:
        super().__init__()
        self.company = type(self).opened()
        self.discarded: dict[int, tuple[str, str, str | None]] = {}

    @rule(code=CODES, name=NAMES, trouble=st.sampled_from(["none", "locked", "down"]))
    def change(self, code: str, name: str, trouble: str) -> None:
        self.company.wanted[code] = name
        self.company.is_down = trouble == "down"
        (self.company.refusing.add if trouble == "locked" else self.company.refusing.discard)(code)

    @rule(code=CODES, name=NAMES)
    def meddle(self, code: str, name: str) -> None:
        self.company.meddle(code, name)

    @rule(code=CODES)
    def retry(self, code: str) -> None:
        ids = [item.write_id for item in self.company.open_about(code) if item.write_id]
        self.company.ledger.release_writes(ids, by="ann", reason="unlocked")

    @rule(code=CODES)
    def discard(self, code: str) -> None:
        for item in self.company.open_about(code):
            (saved,) = self.company.ledger.find_writes([item.write_id or ""])
            self.company.ledger.discard_writes([item.write_id or ""], by="ann", reason="meant")
            version = saved.write.expected_version
            self.discarded[item.item_id] = (code, str(saved.write.request.body["name"]), version)

    @precondition(lambda self: self.discarded)
    @rule()
    def reopen(self) -> None:
        item_id, _ = self.discarded.popitem()
        self.company.ledger.reopen_work_item(item_id, by="bob", reason="not meant")

    @invariant()
    def every_run_is_judged(self) -> None:
        self.company.run()
        for code, name in self.company.wanted.items():
            self.judge(code, name)

    def judge(self, code: str, name: str) -> None:
        """After a run a record agrees and nobody has work with it, or somebody has, or somebody accepted it."""
        items, kinds = self.company.open_about(code), self.company.finding_kinds(code)
        if self.company.held.get(code) == name:
            assert items == []
        elif kinds == {"discarded"}:
            assert items == []
            assert (code, name) in {(of, wanted) for of, wanted, _ in self.discarded.values()}
        else:
            (item,) = items
            for saved in self.company.ledger.find_writes([item.write_id or ""]):
                assert saved.write.request.body.get("name") == name
            assert item.write_id or self.company.is_down  # behind one that was not sent the others still wait


def test_a_write_that_came_to_nothing_has_one_open_exception_until_its_difference_is_gone(
    scene: Callable[..., Scene], ledger: Ledger, clock: StandingClock
) -> None:
    marks = count(1)

    def opened() -> Company:
        return Company(scene("product", systems=["crm", "erp"], **EVERYTHING), ledger, clock, f"{next(marks)}-")

    machine = type("Opened", (DeadLetters,), {"opened": staticmethod(opened)})
    run_state_machine_as_test(machine, settings=effort(max_examples=8, stateful_step_count=8, deadline=None))


@pytest.fixture
def company(scene: Callable[..., Scene], ledger: Ledger, clock: StandingClock) -> Company:
    return Company(scene("product", systems=["crm", "erp"], **EVERYTHING), ledger, clock, "")


def test_a_corrected_write_is_sent_in_place_of_the_one_that_was_refused(company: Company) -> None:
    company.wanted["A"] = "x"
    company.refusing.add("A")
    company.run()
    (item,) = company.open_about("A")
    (saved,) = company.ledger.find_writes([item.write_id or ""])
    patch = {"name": "y"}
    company.ledger.correct(
        saved, Correction(saved.write.link_id, body_hash(saved.write.request.body), patch, "ann", "too long")
    )
    company.refusing.clear()

    company.run()

    assert company.held == {"A": "y"}
    written = company.ledger.story(saved.write.link_id).writes
    assert [(w.state, w.write.corrected_by) for w in written] == [
        (State.REFUSED, None),
        (State.CONFIRMED, "ann"),
    ]


def test_a_correction_ends_and_is_told_when_the_source_changes(company: Company) -> None:
    company.wanted["A"] = "x"
    company.refusing.add("A")
    company.run()
    (saved,) = company.ledger.find_writes([company.open_about("A")[0].write_id or ""])
    made = Correction(saved.write.link_id, body_hash(saved.write.request.body), {"name": "y"}, "ann", "too long")
    company.ledger.correct(saved, made)
    company.refusing.clear()
    company.wanted["A"] = "z"

    company.run()

    assert company.held == {"A": "z"}
    assert company.ledger.open_corrections("product", "erp") == []
    assert "correction.ended" in [entry.kind for entry in company.ledger.audit_of(saved.write.link_id)]
