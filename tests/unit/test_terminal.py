"""The terminal: a run in words that a finance person reads."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import Any

import pytest
from rich.console import Console

from sync_pipelines.course import Step, Told
from sync_pipelines.doctor import Complaint
from sync_pipelines.engine.outcome import Applied, Check, Conformed, Extraction, Planned, Result
from sync_pipelines.engine.plan import Change, Write
from sync_pipelines.engine.port import Operation, Request
from sync_pipelines.terminal import Terminal, line

SUMMARY: Mapping[str, Any] = {
    "read": {"salesforce": 1200, "stripe": 34},
    "linked": {"customer": 118, "order": 0},
    "writes": {"confirmed": 1070, "refused": 2, "in_doubt": 0, "failed": 0},
    "findings": {"invoice": {"differs": 3, "missing": 1}},
    "at_stake": {"invoice": {"EUR": 1234, "JPY": 500}},
    "exceptions": {"finance": 3, "controller": 1},
    "checks": {"passed": 70, "failed": 2, "not_checked": 1},
    "report": "/state/reports/finance-r.html",
}
QUIET = SUMMARY | {
    "writes": dict.fromkeys(SUMMARY["writes"], 0),
    "findings": {},
    "exceptions": {},
    "report": None,
}


@pytest.fixture
def terminal() -> Terminal:
    return Terminal(Console(file=io.StringIO(), width=120))


def told(terminal: Terminal) -> str:
    """Everything that was printed, line by line without blanks around."""
    file = terminal.console.file
    assert isinstance(file, io.StringIO)
    return "\n".join(line.strip() for line in file.getvalue().splitlines() if line.strip())


def ended(subject: str, outcome: Any) -> Any:
    return line(Told(Step(subject, "verb", "domain", lambda: None), outcome))


def test_a_run_is_told_in_sentences(terminal: Terminal) -> None:
    terminal.summary(SUMMARY)

    assert told(terminal).splitlines() == [
        "Read 1,234 records: salesforce 1,200, stripe 34.",
        "Linked across systems: customer 118.",
        "Written: confirmed 1,070, refused 2.",
        "Findings",
        "Domain   Findings              At stake",
        "invoice  differs 3, missing 1  EUR 12.34, JPY 500",
        "Exceptions that need a person: controller 1; finance 3.",
        "Checks: passed 70, failed 2, not checked 1.",
        "Finance check report: /state/reports/finance-r.html",
    ]


def test_a_run_that_had_nothing_to_do_says_so(terminal: Terminal) -> None:
    terminal.summary(QUIET)

    said = told(terminal)
    assert "Written: nothing. Every plan was empty." in said
    assert "Findings: none. All systems agree." in said
    assert "Exceptions: none." in said
    assert "report" not in said


WRITE = Write(
    request=Request("w", "party", Operation.UPDATE, "1", "link-1", {"city": "Bonn"}),
    domain="customer",
    target="erp",
    link_id="link-1",
    label="Acme [GmbH]",
    changes=(Change("city", "Ulm [old]", "Bonn"), Change("street", None, "Ring 1")),
    expected_version="7",
    amount_minor=-123456,
    currency="EUR",
)


def planned(creates: int = 0, updates: int = 0, held: int = 0) -> Planned:
    return Planned("customer", "erp", "plan-1", 7, creates, updates, held)


def test_what_waits_and_what_was_not_run_is_told_and_agreement_is_not_claimed(terminal: Terminal) -> None:
    held = {"stripe": {"writes": 1200, "why": "queued until 2026-11-24 07:00 UTC: maintenance"}}
    left_out = {"tryton/party": "tryton is down", "order/links": "it needs tryton, which can't be asked now"}

    terminal.summary(QUIET | {"queued": held, "not_run": left_out})

    text = told(terminal)
    assert "Queued for stripe: 1,200 writes, queued until 2026-11-24 07:00 UTC: maintenance" in text
    assert "Not run: 2 steps, nothing of which is proven; the first, tryton/party: tryton is down" in text
    assert "All systems agree" not in text
    assert "Every plan was empty" not in text


def test_a_step_that_was_left_out_says_why_and_one_that_queues_until_when(terminal: Terminal) -> None:
    left_out = line(Told(Step("order/links", "match", "order", lambda: None), None, "it needs tryton"))
    queued = ended(
        "order/writes/tryton", Applied("order", "tryton", "plan-1", {"planned": 2}, queued="queued until 07:00")
    )

    with terminal.progress(2) as tell:
        tell(left_out)
        tell(queued)

    text = told(terminal)
    assert re.search(r"- order/links .*it needs tryton", text)
    assert re.search(r"✓ order/writes/tryton .*queued until 07:00", text)


def test_a_plan_is_told_as_a_diff(terminal: Terminal) -> None:
    terminal.plans([planned(updates=1, held=2)], lambda plan_id: [WRITE])

    assert [" ".join(line.split()) for line in told(terminal).splitlines()] == [
        "customer → erp plan-1",
        "~ Acme [GmbH] EUR -1,234.56",
        "city: Ulm [old] → Bonn",
        "street: Ring 1",
        "Legal entity Month Writes Amount",
        "none named no date 1 EUR -1,234.56",
        "Plan: 0 to create, 1 to change, 2 held back.",
        "Nothing has been written. `sync-pipelines apply` carries out exactly these plans.",
    ]


def test_an_empty_plan_asks_for_nothing(terminal: Terminal) -> None:
    terminal.plans([planned()], lambda plan_id: [])

    assert told(terminal) == "Plan: 0 to create, 0 to change, 0 held back."


def test_a_step_is_told_by_what_it_came_to(terminal: Terminal) -> None:
    failed = Check("fits_schema", "customer/erp", "They fit.", Result.FAILED)
    silent = Check("complete", "erp/party", "It is all.", Result.NOT_CHECKED)

    with terminal.progress(4) as tell:
        tell(ended("erp/party", Extraction("erp", "party", 1200, 9, 0, 3, 1200, None, (silent,))))
        tell(ended("customer/erp", Conformed("customer", "erp", 40, 2, {}, checks=(failed,))))
        tell(ended("customer/writes/erp", Applied("customer", "erp", "plan-1", {"confirmed": 3, "refused": 1})))
        tell(ended("customer/reconciliation", None))

    lines = [" ".join(each.split()) for each in told(terminal).splitlines()]
    assert lines[:4] == [
        "✓ erp/party read 1,200, held 1,200",
        "✓ customer/erp records 40, quarantined 2 fits_schema",
        "✓ customer/writes/erp confirmed 3, refused 1",
        "- customer/reconciliation",
    ]


def test_a_step_that_broke_tells_why(terminal: Terminal) -> None:
    with terminal.progress(1) as tell:
        tell({"step": "erp/party", "state": "failed", "counts": {}, "error": "[systems.erp] is down"})

    assert "✗ erp/party" in told(terminal)
    assert "[systems.erp] is down" in told(terminal)


def test_a_diagnosis_tells_the_well_from_the_ill(terminal: Terminal) -> None:
    terminal.diagnosis(
        [Complaint("topology", True, "3 systems"), Complaint("erp", False, "[systems.erp] needs 'password'")]
    )

    assert told(terminal).splitlines() == ["✓ topology: 3 systems", "✗ erp: [systems.erp] needs 'password'"]


def test_a_story_leaves_out_what_is_not_known(terminal: Terminal) -> None:
    terminal.story({"Writes": [{"to": "erp", "state": "confirmed", "why": "", "record": None}], "Run": "[r-1]"})

    assert told(terminal).splitlines() == ["Writes", "to erp  state confirmed", "Run", "[r-1]"]


def test_a_sentence_is_said_as_it_is(terminal: Terminal) -> None:
    terminal.say("Starting [the] systems")

    assert told(terminal) == "› Starting [the] systems"
