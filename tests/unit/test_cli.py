"""The command line: what it says, where it says it, and the exit codes that machines go by."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from typer.testing import CliRunner

from sync_pipelines import cli, config
from sync_pipelines.engine.plan import Change, Write
from sync_pipelines.engine.port import Operation, Request
from sync_pipelines.ledger import Ledger, Origin
from sync_pipelines.sandbox.launch import VENDORS

SYNC_TOML = Path(__file__).parents[2] / "sync.toml"
NOWHERE = {
    "SALESFORCE_URL": "http://127.0.0.1:9",
    "SALESFORCE_CLIENT_ID": "id",
    "SALESFORCE_CLIENT_SECRET": "secret",
    "STRIPE_URL": "http://127.0.0.1:9",
    "STRIPE_API_KEY": "key",
    "TRYTON_URL": "http://127.0.0.1:9/erp",
    "TRYTON_USER": "user",
    "TRYTON_PASSWORD": "password",
}
COMMANDS = (
    "demo",
    "ui",
    "run",
    "plan",
    "apply",
    "plans",
    "show",
    "approve",
    "reject",
    "reconcile",
    "status",
    "report",
    "doctor",
    "sandbox",
)


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def told(self) -> Any:
        return json.loads(self.out)


Command = Callable[..., Ended]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[Command]:
    """Calls the command line as the shell does; no system is there, and the state folder is empty."""
    for name, value in {**NOWHERE, "SYNC_STATE": str(tmp_path / "state"), "SYNC_TOPOLOGY": str(SYNC_TOML)}.items():
        monkeypatch.setenv(name, value)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def called(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["sync-pipelines", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        told = capsys.readouterr()
        return Ended(ended.value.code or 0, told.out, told.err)  # type: ignore[arg-type]

    yield called
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def ledgered(command: Command, monkeypatch: pytest.MonkeyPatch, database_url: str, ledger: Ledger) -> Command:
    """The same with an empty ledger."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    return command


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_does(name: str) -> None:
    told = CliRunner().invoke(cli.app, [name, "--help"])

    assert told.exit_code == 0
    assert "Usage:" in told.output
    assert len(told.output.splitlines()[3].strip()) > 10


def test_help_names_every_command_and_the_exit_codes() -> None:
    told = CliRunner().invoke(cli.app, ["--help"], env={"COLUMNS": "200"}).output

    assert [name for name in COMMANDS if f" {name} " not in told] == []
    assert "0 done, 1 failed, 2 mend the configuration, 3 differences remain" in told


def test_without_a_command_there_is_help() -> None:
    assert "Usage:" in CliRunner().invoke(cli.app, []).output


@pytest.mark.parametrize("arguments", [("mend",), ("run", "--loudly"), ("demo", "--seed", "many"), ("sandbox",)])
def test_what_it_does_not_understand_ends_with_two(command: Command, arguments: tuple[str, ...]) -> None:
    ended = command(*arguments)

    assert ended.code == cli.MISCONFIGURED
    assert ended.out == ""
    assert "Usage:" in ended.err


@pytest.mark.parametrize("name", ["run", "plan", "reconcile"])
def test_an_unknown_domain_is_told_with_those_that_there_are(command: Command, name: str) -> None:
    ended = command(name, "customer", "gadget")

    assert ended.code == cli.MISCONFIGURED
    assert ended.err.strip() == (
        "Configuration: no domain gadget; there are customer, product, pricing, contract, order, invoice, entitlement"
    )


def test_a_refusal_is_told_whole_with_the_table_that_it_speaks_of(command: Command, tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text(SYNC_TOML.read_text().replace('family = "salesforce"\n', ""))

    ended = command("run", "--topology", str(broken))

    assert ended.code == cli.MISCONFIGURED
    assert "[domains.product] field 'family' has no owner under owners" in ended.err
    assert "Traceback" not in ended.err


def test_variables_that_are_not_set_are_told_together(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STRIPE_API_KEY")
    monkeypatch.delenv("TRYTON_PASSWORD")

    ended = command("run", "--json")

    assert ended.code == cli.MISCONFIGURED
    assert ended.out == ""
    assert "environment variable STRIPE_API_KEY is not set" in ended.err
    assert "environment variable TRYTON_PASSWORD is not set" in ended.err


def test_a_stand_in_that_nobody_ships_is_told_with_those_that_there_are(command: Command) -> None:
    ended = command("sandbox", "nobody")

    assert ended.code == cli.MISCONFIGURED
    assert f"no stand-in for 'nobody'; there are {', '.join(VENDORS)}" in " ".join(ended.err.split())


def test_a_ledger_that_cannot_be_reached_is_a_matter_of_configuration(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://ann:s3cret@127.0.0.1:9/books")

    ended = command("verify", "audit")

    assert ended.code == cli.MISCONFIGURED
    assert "can't be opened" in ended.err
    assert "s3cret" not in ended.err


def test_doctor_says_what_is_wrong_with_a_topology_and_looks_no_further(command: Command, tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text(SYNC_TOML.read_text().replace('family = "salesforce"', 'family = "sap"'))

    ended = command("doctor", "--topology", str(broken))

    assert ended.code == cli.MISCONFIGURED
    assert " ".join(ended.out.split()) == (
        "✗ topology: broken.toml can't be used: "
        "- [domains.product] 'family' is owned by 'sap', which does not hold the domain"
    )


def test_doctor_tells_machines_one_object_and_nothing_else(command: Command, tmp_path: Path) -> None:
    ended = command("doctor", "--json", "--topology", str(tmp_path / "none.toml"))

    assert ended.code == cli.MISCONFIGURED
    assert [set(each) for each in ended.told] == [{"subject", "well", "told"}]
    assert ended.told[0]["well"] is False
    assert "copy sync.toml" in ended.told[0]["told"]


def test_without_a_report_there_is_advice_how_to_get_one(command: Command) -> None:
    ended = command("report")

    assert ended.code == cli.MISCONFIGURED
    assert "run `sync-pipelines run` first" in ended.err


def test_the_newest_report_is_told_and_nothing_else(command: Command, tmp_path: Path) -> None:
    reports = tmp_path / "state" / "reports"
    reports.mkdir(parents=True)
    for place, name in enumerate(("finance-b.html", "finance-a.html")):
        (reports / name).touch()
        os.utime(reports / name, (place, place))

    ended = command("report")

    assert (ended.code, ended.out) == (cli.DONE, f"{reports / 'finance-a.html'}\n")


def test_before_the_first_run_there_is_nothing_to_apply_and_nothing_to_tell(ledgered: Command) -> None:
    apply, status = ledgered("apply"), ledgered("status", "--json")

    assert (apply.code, status.code) == (cli.MISCONFIGURED, cli.MISCONFIGURED)
    assert "make one with `sync-pipelines plan`" in apply.err
    assert "there was no run yet" in status.err
    assert status.out == ""


def test_a_number_that_nobody_knows_is_told_to_be_unknown(ledgered: Command) -> None:
    ended = ledgered("status", "D-99999")

    assert ended.code == cli.MISCONFIGURED
    assert "nothing is known of 'D-99999'" in ended.err


def test_status_tells_how_the_last_run_went(ledgered: Command, ledger: Ledger) -> None:
    ledger.start_run("run-1", "full")
    ledger.end_run("run-1", state="finished", summary={"linked": {"customer": 7}})

    people, machines = ledgered("status"), ledgered("status", "--json")

    assert (people.code, machines.code) == (cli.DONE, cli.DONE)
    assert machines.told["Last run"][0]["state"] == "finished"
    assert "run-1" in people.out
    assert "{'customer': 7}" in people.out


def test_a_pause_is_told_by_status_until_it_is_ended(ledgered: Command, ledger: Ledger) -> None:
    ledger.start_run("run-1", "full")

    paused = ledgered("pause", "tryton", "--until", "2h", "--reason", "year-end close")
    (told,) = ledgered("status", "--json").told["Systems paused"]
    resumed = ledgered("resume", "tryton", "--reason", "closed")

    assert (paused.code, resumed.code) == (cli.DONE, cli.DONE)
    assert paused.out.startswith("Nothing is written to tryton until ")
    assert (told["system"], told["why"]) == ("tryton", "year-end close")
    assert ledgered("status", "--json").told["Systems paused"] == []
    assert [entry.kind for entry in ledger.audit_of("tryton")] == ["system.paused", "system.resumed"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("pause", "sap", "--reason", "x"), "no system 'sap'; there are salesforce, stripe, tryton"),
        (("pause", "tryton", "--until", "tonight", "--reason", "x"), "'tonight' is no time"),
        (("pause", "tryton", "--until", "2099-01-01T00:00", "--reason", "x"), "names no zone"),
        (("pause", "tryton", "--until", "2020-01-01T00:00Z", "--reason", "x"), "is over already"),
        (("resume", "tryton", "--reason", "x"), "neither paused nor left alone"),
        (("confirm", "tryton", "erp-2", "--reason", "x"), "no run has met tryton yet"),
    ],
)
def test_what_can_not_be_paused_resumed_or_confirmed_is_said_why(
    ledgered: Command, arguments: tuple[str, ...], said: str
) -> None:
    ended = ledgered(*arguments)

    assert ended.code == cli.MISCONFIGURED
    assert said in ended.err


def test_a_pause_may_name_an_instant_in_any_zone(ledgered: Command, ledger: Ledger) -> None:
    ended = ledgered("pause", "tryton", "--until", "2099-12-31T23:00-05:00", "--reason", "year-end close")

    assert "until 2100-01-01 04:00 UTC" in ended.out
    assert ledger.pauses()["tryton"].until == datetime(2100, 1, 1, 4, tzinfo=UTC)


def test_a_system_that_is_left_alone_is_told_by_status_and_resumed(ledgered: Command, ledger: Ledger) -> None:
    ledger.start_run("run-1", "full")
    ledger.circuit_failed("tryton", at=datetime(2026, 11, 23, tzinfo=UTC), reason="connection refused")

    (told,) = ledgered("status", "--json").told["Systems left alone"]

    assert (told["system"], told["since"], told["why"]) == (
        "tryton", "2026-11-23 00:00:00+00:00", "connection refused",
    )  # fmt: skip
    assert ledgered("resume", "tryton", "--reason", "it is back").code == cli.DONE


def test_another_organisation_is_confirmed_by_name(ledgered: Command, ledger: Ledger) -> None:
    ledger.check_identity("tryton", "erp-1")

    ended = ledgered("confirm", "tryton", "erp-2", "--reason", "moved to another server")

    assert (ended.code, ended.out) == (cli.DONE, "tryton is erp-2 from now on; it was erp-1.\n")
    ledger.check_identity("tryton", "erp-2")


def test_an_audit_trail_that_somebody_changed_fails(ledgered: Command, ledger: Ledger, database_url: str) -> None:
    ledger.start_run("run-1", "full")
    whole = ledgered("verify", "audit")
    _tamper(database_url, "UPDATE ledger.audit_entries SET subject = 'other'")

    broken = ledgered("verify", "audit")

    assert (whole.code, broken.code) == (cli.DONE, cli.FAILED)
    assert "is whole: 1 entries" in whole.out
    assert "broken at entry 1: it is not what was hashed" in broken.err


def test_a_head_that_was_kept_shows_later_whether_the_trail_was_cut(
    ledgered: Command, ledger: Ledger, database_url: str
) -> None:
    ledger.start_run("run-1", "full")
    first = ledgered("verify", "audit", "--head").out.strip()
    ledger.end_run("run-1", state="finished", summary={})
    second = ledgered("verify", "audit", "--head").out.strip()
    _tamper(
        database_url,
        "DELETE FROM ledger.audit_entries WHERE seq = 2",
        f"UPDATE ledger.audit_head SET seq = 1, hash = '{first.removeprefix('1:')}'",
    )

    codes = [ledgered("verify", "audit", *kept).code for kept in ((), ("--expect", first), ("--expect", second))]

    assert codes == [cli.DONE, cli.DONE, cli.FAILED]
    assert ledgered("verify", "audit", "--expect", "nonsense").code == cli.MISCONFIGURED


def _tamper(database_url: str, *statements: str) -> None:
    engine = create_engine(database_url)
    with engine.begin() as connection:
        for statement in ("SET LOCAL session_replication_role = replica", *statements):
            connection.execute(text(statement))
    engine.dispose()


def test_ctrl_c_ends_with_130_and_a_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        environment = {**os.environ, **NOWHERE, "DATABASE_URL": f"postgresql://ann@127.0.0.1:{port}/books"}
        child = subprocess.Popen(
            [sys.executable, "-c", "from sync_pipelines.cli import main; main()", "verify", "audit"],
            cwd=SYNC_TOML.parent,
            env={**environment, "SYNC_STATE": str(tmp_path)},
            stderr=subprocess.PIPE,
            text=True,
        )
        with child, silent.accept()[0]:
            child.send_signal(signal.SIGINT)
            _, told = child.communicate(timeout=60)

    assert child.returncode == cli.INTERRUPTED
    assert " ".join(told.split()) == "Interrupted. Nothing is lost: run again, and it goes on from what is true then."


def _waiting(ledger: Ledger) -> str:
    """A plan of one invoice that waits for the controller; returns its id."""
    settings = config.load(SYNC_TOML, strict=False).domains["invoice"]
    request = Request("0123456789ab", "account.invoice", Operation.CREATE, None, "l", {"x": 1}, idempotency_key="k")
    write = Write(
        request, "invoice", "tryton", "l", "IN-7", (Change("number", None, "IN-7"),), None, 100_000_000, "USD"
    )
    due = replace(write, legal_entity="US01", period="2026-11", approved_by_team="controller")
    origin = Origin("run-1", "invoice", "tryton", 1, "tryton@m1", settings.version)
    return ledger.save_plan(origin, [due]).plan_id


def test_without_an_open_plan_nothing_waits(ledgered: Command) -> None:
    assert ledgered("plans").out == "No plan is open: nothing waits for anybody.\n"
    assert ledgered("plans", "--json").told == []


def test_a_controller_sees_what_waits_why_and_who_may_approve(ledgered: Command, ledger: Ledger) -> None:
    plan_id = _waiting(ledger)

    listed, shown = ledgered("plans"), ledgered("show", plan_id)
    told = ledgered("show", plan_id, "--json").told

    assert f"invoice → tryton  {plan_id}  0 ready, 1 waiting" in listed.out
    assert "may approve: Controller (carla, chen)" in listed.out
    assert "number: IN-7" in shown.out
    why = "0123456789ab waits for approval by Controller since 2026-11-23 09:00 UTC; edited by unknown"
    assert why in " ".join(shown.out.split())
    assert "USD 1,000,000.00" in shown.out
    assert "mapping/tryton/invoice was written by unknown" in shown.out
    assert told["moves"] == [
        {"legal_entity": "US01", "currency": "USD", "period": "2026-11", "count": 1, "amount_minor": 100_000_000}
    ]


def test_approving_asks_for_a_member_of_the_team_and_a_reason(ledgered: Command, ledger: Ledger) -> None:
    plan_id = _waiting(ledger)

    stranger = ledgered("approve", plan_id, "--reason", "fine", "--as", "eve")
    silent = ledgered("approve", plan_id, "--as", "carla")
    done = ledgered("approve", plan_id, "--write", "0123", "--reason", "fine", "--as", "Carla Romano")

    assert (stranger.code, silent.code, done.code) == (cli.FAILED, cli.MISCONFIGURED, cli.DONE)
    assert "it takes a member of Controller (carla, chen)" in stranger.err
    assert "1 approved; `sync-pipelines apply` sends them." in done.out
    assert "Nobody knows who wrote policy/invoice, mapping/tryton/invoice." in " ".join(done.out.split())
    entry = ledger.audit_of("0123456789ab")[-1]
    assert (entry.kind, entry.detail["by"]) == ("write.approved", "carla")


def test_what_is_rejected_waits_no_more(ledgered: Command, ledger: Ledger) -> None:
    _waiting(ledger)

    done = ledgered("reject", "0123456789ab", "--reason", "twice", "--as", "chen")

    assert (done.code, done.out) == (cli.DONE, "1 rejected; the next run raises an exception for each.\n")
    assert ledgered("plans", "--json").told == []
