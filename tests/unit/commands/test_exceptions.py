"""The queue on the command line: what is shown to whom, and what each decision does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event
from typer.testing import CliRunner, Result

from sync_pipelines import cli
from sync_pipelines.engine.doubt import NO_KEY
from sync_pipelines.engine.plan import Change, Write
from sync_pipelines.engine.port import Operation, Outcome, Request, State
from sync_pipelines.engine.reconcile import Item
from sync_pipelines.errors import FixConfiguration
from sync_pipelines.ledger import Assigned, Ledger, Origin
from tests.conftest import StandingClock

SYNC_TOML = Path(__file__).parents[3] / "sync.toml"
EMAIL, STREET = "ann@example.com", "12 Elm Street"
Exceptions = Callable[..., Result]


def _write(number: int) -> Write:
    body = {"name": f"Company {number}", "email": EMAIL, "address": {"line1": STREET, "country": "DE"}}
    request = Request(
        f"w-{number}", "customers", Operation.CREATE, None, f"l-{number}", body, (), f"w-{number}", "deal"
    )
    changes = (Change("name", None, f"Company {number}"), Change("email", None, EMAIL))
    return Write(request, "customer", "stripe", f"l-{number}", f"C-{number}", changes, None, 1250, "EUR")


@dataclass
class Queue:
    """A ledger whose writes all came to nothing."""

    ledger: Ledger

    def fill(self, count: int, state: State = State.REFUSED, code: str = "CLOSED") -> list[str]:
        writes = [_write(number) for number in range(count)]
        self.ledger.save_plan(Origin("run-1", "customer", "stripe", 7, "m1", "o1"), writes)
        ids = [write.request.write_id for write in writes]
        self.ledger.record_outcomes([Outcome(each, state, code=code, message="it is closed") for each in ids])
        self.look()
        return ids

    def look(self) -> None:
        """What a reconciliation makes of the dead letters."""
        found = [
            Assigned(Item(f"customer|{row['kind']}|stripe|{row['link_id']}", "customer", row["kind"], "stripe",
                          row["link_id"], row["link_id"].upper(), row["message"], 1250, "EUR", row["write_id"],
                          row["code"]), "revops", 24, {"code": row["code"]})
            for row in self.ledger.dead_letters("customer").to_pylist() if row["kind"] != "discarded"
        ]  # fmt: skip
        self.ledger.sync_work_items("customer", found, run_id="run-1")

    @property
    def first(self) -> str:
        return str(self.ledger.open_work_items()[0].item_id)


@pytest.fixture
def queue(ledger: Ledger) -> Queue:
    return Queue(ledger)


@pytest.fixture
def exceptions(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Exceptions:
    """Calls `sync-pipelines exceptions`; the one who calls belongs to no team."""
    monkeypatch.setenv("LOGNAME", "guest")
    topology = tmp_path / "sync.toml"
    topology.write_text(SYNC_TOML.read_text())

    def call(*arguments: str, fails: bool = False) -> Result:
        environment = {"DATABASE_URL": database_url, "SYNC_STATE": str(tmp_path), "SYNC_TOPOLOGY": str(topology)}
        ended = CliRunner().invoke(cli.app, ["exceptions", *arguments], env={**environment, "COLUMNS": "250"})
        assert (ended.exit_code != 0) == fails, ended.output
        return ended

    return call


@contextmanager
def _statements() -> Iterator[list[str]]:
    """The statements that change something, as they are sent to any database."""
    sent: list[str] = []

    def note(*given: Any) -> None:
        sent.extend([given[2]] if given[2].startswith(("UPDATE", "INSERT")) else [])

    event.listen(Engine, "before_cursor_execute", note)
    yield sent
    event.remove(Engine, "before_cursor_execute", note)


def _told(ended: Result) -> Any:
    return json.loads(ended.stdout)


def test_the_queue_is_listed_for_people_and_for_machines(queue: Queue, exceptions: Exceptions) -> None:
    queue.fill(2)

    people, machines = exceptions("list"), exceptions("list", "--json")

    words = ("L-0", "revops", "EUR 12.50", "it is closed", "2 open.")
    assert [word for word in words if word not in people.output] == []
    assert [item["label"] for item in _told(machines)] == ["L-0", "L-1"]


def test_the_list_can_be_narrowed(queue: Queue, exceptions: Exceptions, clock: StandingClock) -> None:
    queue.fill(1)

    assert _told(exceptions("list", "--owner", "finance", "--json")) == []
    assert _told(exceptions("list", "--domain", "invoice", "--json")) == []
    assert len(_told(exceptions("list", "--kind", "refused", "--owner", "revops", "--json"))) == 1


def test_overdue_are_those_whose_time_is_up(queue: Queue, exceptions: Exceptions, clock: StandingClock) -> None:
    clock.sleep(-400 * 86_400.0)
    queue.fill(1)
    clock.sleep(40_000 * 86_400.0)
    queue.ledger.save_plan(Origin("run-2", "customer", "stripe", 7, "m1", "o1"), [_write(9)])
    queue.ledger.record_outcomes([Outcome("w-9", State.REFUSED, message="it is closed")])
    queue.look()

    assert [item["label"] for item in _told(exceptions("list", "--overdue", "--json"))] == ["L-0"]
    assert len(_told(exceptions("list", "--json"))) == 2


def test_who_belongs_to_no_team_sees_personal_values_as_shapes(queue: Queue, exceptions: Exceptions) -> None:
    queue.fill(1)

    people, machines = exceptions("show", queue.first), exceptions("show", queue.first, "--json")

    for told in (people.output, machines.output):
        assert EMAIL not in told
        assert STREET not in told
    payload = _told(machines)["Payload"]
    assert payload == {"name": "Company 0", "email": "a…@e….com", "address": {"line1": "1… E… S…", "country": "D…"}}


def test_a_team_that_may_sees_the_payload_as_it_is_sent(
    queue: Queue, exceptions: Exceptions, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    queue.fill(1)
    topology = tmp_path / "sync.toml"
    allowed = 'due_hours = 24, members = ["ann"], sees_personal_data = true }'
    topology.write_text(topology.read_text().replace("due_hours = 24 }", allowed, 1))
    monkeypatch.setenv("LOGNAME", "ann")

    told = _told(exceptions("show", queue.first, "--json"))

    assert told["Payload"]["email"] == EMAIL
    assert told["Changes"][1]["after"] == EMAIL


def test_show_says_why_and_what_to_do_next(queue: Queue, exceptions: Exceptions) -> None:
    queue.fill(1)

    told = exceptions("show", queue.first).output

    assert "reason it is closed" in told
    assert "exceptions retry" in told
    assert "exception.opened" in told


def test_a_retry_lets_the_write_be_planned_again(queue: Queue, exceptions: Exceptions) -> None:
    (write_id,) = queue.fill(1)

    exceptions("retry", queue.first, "--reason", "March is open")

    (saved,) = queue.ledger.find_writes([write_id])
    assert (saved.state, saved.code) == (State.FAILED, "released")
    trail = queue.ledger.audit_of(write_id)[-1]
    assert (trail.detail["by"], trail.detail["reason"]) == ("guest", "March is open")


def test_what_needs_no_retry_says_so(queue: Queue, exceptions: Exceptions) -> None:
    queue.fill(1, State.IN_DOUBT)

    ended = exceptions("retry", queue.first, "--reason", "again", fails=True)

    assert isinstance(ended.exception, FixConfiguration)
    assert "reads back whether it was stored" in str(ended.exception)


def test_a_discard_can_be_taken_back(queue: Queue, exceptions: Exceptions) -> None:
    queue.fill(1)
    number = queue.first

    exceptions("discard", number, "--reason", "written off")
    queue.look()
    gone = queue.ledger.open_work_items()
    exceptions("reopen", number, "--reason", "not ours")

    assert gone == []
    assert queue.first == number
    again = exceptions("reopen", number, "--reason", "twice", fails=True)
    assert f"exception {number} is not discarded" in str(again.exception)


FOUND = ("--committed", "cus_9", "--reason", "by its number")
ABSENT = ("--not-committed", "--reason", "not in the list")


def test_a_doubt_that_a_person_ends_as_stored_is_confirmed_and_linked(queue: Queue, exceptions: Exceptions) -> None:
    (write_id,) = queue.fill(1, State.IN_DOUBT, NO_KEY)

    exceptions("settle", queue.first, *FOUND)

    (saved,) = queue.ledger.find_writes([write_id])
    (link,) = queue.ledger.open_links("customer").to_pylist()
    told = queue.ledger.audit_of(write_id)[-1]
    assert (saved.state, saved.record_id_after, saved.code) == (State.CONFIRMED, "cus_9", "settled")
    assert (link["link_id"], link["system"], link["record_id"]) == ("l-0", "stripe", "cus_9")
    assert (told.kind, told.detail["by"], told.detail["reason"]) == ("write.settled", "guest", "by its number")
    assert queue.ledger.dead_letters("customer").num_rows == 0


def test_a_doubt_that_a_person_ends_as_not_stored_is_planned_again(queue: Queue, exceptions: Exceptions) -> None:
    (write_id,) = queue.fill(1, State.IN_DOUBT, NO_KEY)

    exceptions("settle", queue.first, *ABSENT)
    plan = queue.ledger.save_plan(Origin("run-2", "customer", "stripe", 8, "m1", "o1"), [_write(0)])

    (saved,) = queue.ledger.writes(plan.plan_id)
    assert (saved.write.request.write_id, saved.state) == (write_id, State.PLANNED)
    assert queue.ledger.open_links("customer").num_rows == 0


@pytest.mark.parametrize(
    ("state", "code", "given", "problem"),
    [
        (State.IN_DOUBT, "", FOUND, "reads back whether it was stored"),
        (State.IN_DOUBT, "unsettled", ABSENT, "reads back whether it was stored"),
        (State.REFUSED, "CLOSED", FOUND, "Mend what the reason names"),
        (State.IN_DOUBT, NO_KEY, FOUND[2:], "either --committed RECORD_ID or --not-committed"),
        (State.IN_DOUBT, NO_KEY, (*FOUND[:2], *ABSENT), "either --committed RECORD_ID or --not-committed"),
    ],
)
def test_only_a_doubt_that_nothing_else_can_end_is_settled_by_a_person(
    queue: Queue, exceptions: Exceptions, state: State, code: str, given: tuple[str, ...], problem: str
) -> None:
    (write_id,) = queue.fill(1, state, code)

    ended = exceptions("settle", queue.first, *given, fails=True)

    assert problem in str(ended.exception)
    assert queue.ledger.find_writes([write_id])[0].state is state


def test_a_record_that_is_linked_already_settles_no_other_doubt(queue: Queue, exceptions: Exceptions) -> None:
    ids = queue.fill(2, State.IN_DOUBT, NO_KEY)
    first, second = (str(item.item_id) for item in queue.ledger.open_work_items())
    exceptions("settle", first, *FOUND)

    ended = exceptions("settle", second, *FOUND, fails=True)

    assert "cus_9 in stripe belongs to another link, l-0" in str(ended.exception)
    assert sorted(saved.state for saved in queue.ledger.find_writes(ids)) == [State.CONFIRMED, State.IN_DOUBT]


def test_an_edit_is_kept_for_the_next_plan_and_told(queue: Queue, exceptions: Exceptions) -> None:
    queue.fill(1)

    exceptions("edit", queue.first, "--set", "address.line1=9 Oak", "--set", "name=Short", "--reason", "too long")

    (made,) = queue.ledger.open_corrections("customer", "stripe")
    assert made.patch == {"address.line1": "9 Oak", "name": "Short"}
    assert _told(exceptions("show", queue.first, "--json"))["Corrections"] == [
        {"by": "guest", "why": "too long", "paths": "address.line1, name"}
    ]


def test_an_edit_of_what_is_not_there_is_refused_with_what_is(queue: Queue, exceptions: Exceptions) -> None:
    queue.fill(1)

    ended = exceptions("edit", queue.first, "--set", "adress.line1=9 Oak", "--reason", "typo", fails=True)

    assert "has no 'adress.line1'; it has address.country, address.line1, email, name" in str(ended.exception)
    assert queue.ledger.open_corrections("customer", "stripe") == []


def test_an_exception_is_assigned_to_a_team_that_there_is(queue: Queue, exceptions: Exceptions) -> None:
    queue.fill(1)

    exceptions("assign", queue.first, "controller", "--reason", "theirs")
    ended = exceptions("assign", queue.first, "nobody", "--reason", "theirs", fails=True)

    assert queue.ledger.exceptions_by_owner() == {"controller": 1}
    assert "no team 'nobody' in [people]; there are revops" in str(ended.exception)


@pytest.mark.parametrize("action", ["show", "retry", "discard", "reopen"])
def test_an_unknown_number_is_told(exceptions: Exceptions, action: str) -> None:
    reason = () if action == "show" else ("--reason", "why")

    ended = exceptions(action, "77", *reason, fails=True)

    assert "there is no exception 77" in str(ended.exception)


def test_what_nothing_was_sent_for_has_nothing_to_retry(queue: Queue, exceptions: Exceptions) -> None:
    item = Item("f", "customer", "unknown", "stripe", "cus_1", "C-1", "not in salesforce", None, None)
    queue.ledger.sync_work_items("customer", [Assigned(item, "revops")], run_id="run-1")

    ended = exceptions("retry", queue.first, "--reason", "again", fails=True)

    assert "nothing was sent for exception" in str(ended.exception)


def test_a_dry_replay_counts_and_changes_nothing(queue: Queue, exceptions: Exceptions) -> None:
    queue.fill(3)

    told = exceptions("replay", "--domain", "customer", "--dry-run", "--reason", "open again").output

    assert "3 would be sent again" in told
    assert queue.ledger.writes_by_state("run-1") == {"refused": 3}


def test_ten_thousand_are_replayed_in_a_bounded_number_of_statements_and_only_once(
    queue: Queue, exceptions: Exceptions
) -> None:
    queue.fill(10_000)
    with _statements() as sent:
        once = exceptions("replay", "--kind", "refused", "--code", "CLOSED", "--reason", "March is open").output
    twice = exceptions("replay", "--reason", "March is open").output

    assert "10,000 of 10,000 are to be sent again" in once
    assert "0 of 0" in twice
    assert queue.ledger.writes_by_state("run-1") == {"failed": 10_000}
    assert len(sent) <= 40
    assert queue.ledger.verify_audit() is None
