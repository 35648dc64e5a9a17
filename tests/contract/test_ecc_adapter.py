"""ECC behind the port: what is sent in one window is told in a later one, and nothing is sent twice."""

from __future__ import annotations

import errno
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from stand_in_ecc import NOW, OPTIONS, made, opened

from sync_pipelines.engine.apply import Application, apply
from sync_pipelines.engine.doubt import AWAITED, Attempted
from sync_pipelines.engine.plan import Write
from sync_pipelines.engine.port import Operation, Outcome, Request, State
from sync_pipelines.engine.topology import SystemSettings
from sync_pipelines.errors import FixConfiguration, InDoubt, MalformedPage, RetryLater
from sync_pipelines.sandbox.app import Sandbox
from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.ecc import seed
from sync_pipelines.sandbox.ecc.sftp import SftpServer
from sync_pipelines.sandbox.faults import Rule
from sync_pipelines.systems.ecc import Ecc, open_system
from sync_pipelines.systems.ecc.folder import OwnDisk
from sync_pipelines.systems.ecc.layout import CONTROL, DATA, SEGMENTS, sap_number
from sync_pipelines.systems.ecc.layout import number as number_of

SHAPE = {"KUNNR": "VARCHAR", "NAME1": "VARCHAR", "LAND1": "VARCHAR", "AUFSD": "VARCHAR", "EXTID": "VARCHAR"}
INVOICES = {
    "XBLNR": "VARCHAR",
    "FKDAT": "DATE",
    "BUDAT": "DATE",
    "WAERK": "VARCHAR",
    "items": [{"MATNR": "VARCHAR", "FKIMG": "DECIMAL(18,4)", "NETWR": "DECIMAL(18,4)"}],
}
DAY = 86_400


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(NOW)


@pytest.fixture
def erp(tmp_path: Path, clock: VirtualClock) -> Sandbox:
    sandbox = made(tmp_path, clock=clock)
    seed(sandbox.store, {"DEBMAS": [{"KUNNR": "0000100017", "NAME1": "Acme", "LAND1": "US"}]})
    return sandbox


@pytest.fixture
def system(tmp_path: Path, clock: VirtualClock, erp: Sandbox) -> Ecc:
    return opened(tmp_path, clock=clock)


def window(erp: Sandbox) -> Any:
    told = erp.vendor.admin("window", None)
    erp.clock.advance(4 * 3600)
    return told


def order(key: str, *, customer: str = "0000100017", quantity: str = "3", amount: str = "1785.00") -> Request:
    item = {"MATNR": "SKU-1", "KWMENG": quantity, "NETWR": amount}
    head = {"BSTKD": key, "KUNNR": customer, "BUKRS": "US01", "AUDAT": "2026-11-23", "WAERK": "EUR"}
    return Request(f"w-{key}", "ORDERS", Operation.CREATE, None, key, {**head, "items": [item]})


def invoice(key: str, *, day: str = "2026-11-23", amount: str = "100.00", kind: str = "M") -> Request:
    item = {"MATNR": "SKU-1", "FKIMG": "-1" if kind == "O" else "1", "NETWR": amount}
    head = {"XBLNR": key, "VBTYP": kind, "KUNNR": "0000100017", "BUKRS": "US01", "FKDAT": day, "WAERK": "EUR"}
    return Request(f"w-{key}", "INVOIC", Operation.CREATE, None, key, {**head, "MWSBP": "20.00", "items": [item]})


def customer(key: str, name: str) -> Request:
    body = {"NAME1": name, "LAND1": "DE", "SMTP_ADDR": "ap@acme.example"}
    return Request(f"w-{key}", "DEBMAS", Operation.CREATE, None, key, body)


def read(system: Ecc, object: str, shape: Mapping[str, Any], since: Any = None) -> tuple[list[Any], Any]:
    pages = list(system.read(object, shape, since))
    rows = [json.loads(payload) for page in pages for payload in page.payloads]
    return rows, json.loads(json.dumps(pages[-1].cursor)) if pages else since


def files(erp: Sandbox, place: str) -> list[str]:
    return sorted(path.name for path in (erp.vendor.folder / place).glob("*") if path.is_file())


# The layouts are SAP's


def test_the_layouts_have_the_positions_that_sap_publishes() -> None:
    def place(widths: Mapping[str, int], field: str) -> tuple[int, int]:
        names = list(widths)
        start = sum(widths[each] for each in names[: names.index(field)]) + 1
        return start, start + widths[field] - 1

    assert (CONTROL.width, DATA.width, SEGMENTS["E1EDK01"].width) == (524, 1063, 357)
    told = {"DOCNUM": (14, 29), "DIRECT": (36, 36), "IDOCTYP": (40, 69), "MESTYP": (100, 129), "SNDPRN": (163, 172)}
    told |= {
        "RCVPRN": (278, 287),
        "CREDAT": (379, 386),
        "REFINT": (393, 406),
        "ARCKEY": (435, 504),
        "SERIAL": (505, 524),
    }
    assert {name: place(CONTROL.widths, name) for name in told} == told
    data = {"SEGNAM": (1, 30), "DOCNUM": (34, 49), "SEGNUM": (50, 55), "PSGNUM": (56, 61), "SDATA": (64, 1063)}
    assert {name: place(DATA.widths, name) for name in data} == data
    head = {"CURCY": (5, 7), "BSART": (80, 83), "BELNR": (84, 118), "LIFSK": (292, 293), "WKURS_M": (346, 357)}
    assert {name: place(SEGMENTS["E1EDK01"].widths, name) for name in head} == head


def test_a_trimmed_record_is_read_as_well_and_signs_stand_behind() -> None:
    record = CONTROL.pack({"TABNAM": "EDI_DC40", "MESTYP": "ORDERS"})

    assert len(record) == 524
    assert CONTROL.unpack(record.rstrip()) == CONTROL.unpack(record)
    assert (sap_number("-1.50"), number_of("1.50-")) == ("1.50-", "-1.50")


# Writing


def test_an_order_leaves_in_one_window_and_is_told_in_the_next(system: Ecc, erp: Sandbox) -> None:
    (sent,) = system.write([order("SUB-42")])
    (again,) = system.write([order("SUB-42")])
    window(erp)
    (taken,) = system.write([order("SUB-42")])
    window(erp)
    (posted,) = system.write([order("SUB-42")])

    assert [(each.state, each.code) for each in (sent, again, taken)] == [(State.IN_DOUBT, AWAITED)] * 3
    assert "its next window is at 2026-11-23 22:00 Europe/Berlin" in sent.message
    assert "not taken yet" in again.message
    assert "taken, not posted yet" in taken.message
    assert (posted.state, posted.record_id) == (State.CONFIRMED, "0000004701")
    assert [row["BSTKD"] for row in erp.store.all("ORDERS")] == ["SUB-42"]
    assert len(list((erp.vendor.folder / "arch" / "ORDERS").glob("*.idoc"))) == 1


def test_some_documents_of_a_file_may_be_refused_with_the_message_of_the_erp(system: Ecc, erp: Sandbox) -> None:
    requests = [invoice("IN-1"), invoice("IN-2", day="2026-02-03"), invoice("IN-3")]
    erp.faults.add(Rule(route="post INVOIC IN-3", kind="row", code="ZZ_007", message="Confidential Person is blocked"))
    system.write(requests)
    window(erp)
    window(erp)

    good, closed, other = system.write(requests)

    assert (good.state, good.record_id) == (State.CONFIRMED, "0090000001")
    assert (closed.state, closed.code) == (State.REFUSED, "closed_period")
    assert (other.state, other.code) == (State.REFUSED, "zz_007")
    assert "Confidential" not in other.message
    assert "line 3 of file INVOIC_SYNC_" in other.message


def test_a_document_that_the_erp_has_already_is_confirmed_as_that(system: Ecc, erp: Sandbox) -> None:
    erp.vendor.admin("put", {"interface": "ORDERS", "row": {"BSTKD": "SUB-42", "VBELN": "0000000007"}})
    system.write([order("SUB-42")])
    window(erp)
    window(erp)

    (told,) = system.write([order("SUB-42")])

    assert (told.state, told.record_id, erp.store.count("ORDERS")) == (State.CONFIRMED, "0000000007", 1)


@pytest.mark.parametrize(
    ("name", "code"),
    [("株式会社", "code_page"), ("e\u0301", "code_page"), ("x" * 36, "too_long"), ("two\nlines", "not_printable")],
)
def test_what_does_not_fit_is_refused_and_the_rest_of_the_file_goes(
    system: Ecc, erp: Sandbox, name: str, code: str
) -> None:
    bad, good = system.write([customer("c-1", name), customer("c-2", "Zoë Größe & Søn €")])
    window(erp)
    window(erp)

    assert (bad.state, bad.code) == (State.REFUSED, code)
    assert "NAME1" in bad.message
    assert name not in bad.message
    assert good.code == AWAITED
    assert {row["NAME1"] for row in erp.store.all("DEBMAS")} == {"Acme", "Zoë Größe & Søn €"}


def test_a_quantity_of_more_than_three_decimals_is_refused(system: Ecc) -> None:
    assert [each.code for each in system.write([order("a", quantity="1.2345"), order("b", quantity="1.5")])] == [
        "inexact",
        AWAITED,
    ]


def test_a_credit_arrives_with_its_signs(system: Ecc, erp: Sandbox) -> None:
    system.write([invoice("CN-1", kind="O", amount="-100.00")])
    window(erp)
    window(erp)

    rows, _ = read(system, "INVOIC", INVOICES)
    assert rows[0]["items"] == [{"MATNR": "SKU-1", "FKIMG": "-1.000", "NETWR": "-100.00"}]
    assert (rows[0]["FKDAT"], rows[0]["BUDAT"], rows[0]["VBELN"]) == ("2026-11-23", "2026-11-23", "0090000001")


def test_a_refused_document_is_confirmed_when_the_erp_has_reprocessed_it_and_is_not_sent_again(
    system: Ecc, erp: Sandbox
) -> None:
    system.write([order("SUB-42", customer="0000100018")])
    window(erp)
    window(erp)
    (refused,) = system.write([order("SUB-42", customer="0000100018")])

    erp.vendor.admin("put", {"interface": "DEBMAS", "row": {"KUNNR": "0000100018", "NAME1": "Late", "LAND1": "US"}})
    erp.vendor.admin("reprocess", None)
    window(erp)
    (told,) = system.write([order("SUB-42", customer="0000100018")])

    assert (refused.state, told.state) == (State.REFUSED, State.CONFIRMED)
    assert len(list((erp.vendor.folder / "arch" / "ORDERS").glob("*.idoc"))) == 1


def test_a_late_acknowledgement_is_waited_for_and_at_last_somebody_is_asked(
    system: Ecc, erp: Sandbox, clock: VirtualClock
) -> None:
    system.write([order("SUB-42")])
    clock.advance(3 * DAY - 60)
    (waiting,) = system.write([order("SUB-42")])
    clock.advance(120)
    (overdue,) = system.write([order("SUB-42")])
    window(erp)
    window(erp)
    (late,) = system.write([order("SUB-42")])

    assert (waiting.code, overdue.code, late.state) == (AWAITED, "overdue", State.CONFIRMED)
    assert "ask the ERP's operators" in overdue.message
    assert erp.store.count("ORDERS") == 1


def test_part_of_a_result_tells_of_a_part_and_a_freeze_of_none(system: Ecc, erp: Sandbox) -> None:
    requests = [order("SUB-42"), order("SUB-43")]
    system.write(requests)
    window(erp)
    erp.vendor.admin("settings", {"frozen": True})
    window(erp)
    held = system.write(requests)
    erp.vendor.admin("settings", {"frozen": False, "results": 1})
    window(erp)
    part = system.write(requests)
    window(erp)
    all_of_it = system.write(requests)

    assert {each.code for each in held} == {AWAITED}
    assert "held by the ERP" in held[0].message
    assert [each.state for each in part] == [State.CONFIRMED, State.IN_DOUBT]
    assert {each.state for each in all_of_it} == {State.CONFIRMED}


def test_a_file_that_was_refused_whole_stops_the_interface_until_somebody_has_mended_it(
    system: Ecc, erp: Sandbox
) -> None:
    erp.vendor.admin("settings", {"version": "2"})
    system.write([order("SUB-42")])
    window(erp)
    with pytest.raises(FixConfiguration, match=r"refused the file ORDERS_SYNC_\d+_\d+_000001 as a whole"):
        system.write([order("SUB-42")])

    erp.vendor.admin("settings", {"version": "1"})
    for nak in (erp.vendor.folder / "ack").glob("*.nak"):
        nak.unlink()
    (again,) = system.write([order("SUB-42")])
    window(erp)
    window(erp)

    assert again.code == AWAITED
    assert system.write([order("SUB-42")])[0].state is State.CONFIRMED


def test_files_are_numbered_without_gaps_whoever_sends_them(system: Ecc, erp: Sandbox, tmp_path: Path) -> None:
    system.write([order("a")])
    window(erp)
    opened(tmp_path, clock=erp.clock).write([order("b")])
    system.write([order("c")])

    told = window(erp)

    assert told["taken"] == {"accepted": 2, "refused": 0, "repeated": 0, "held": 0}
    names = sorted((erp.vendor.folder / "arch" / "ORDERS").glob("*.idoc"))
    assert [path.stem[-6:] for path in names] == ["000001", "000002", "000003"]


def test_a_file_without_its_control_file_is_not_counted_and_not_taken(
    system: Ecc, erp: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = system._place
    whole = type(place).put

    def broken(self: Any, path: str, content: bytes) -> None:
        if path.endswith(".ctl"):
            raise RetryLater("the disk is full")
        whole(self, path, content)

    monkeypatch.setattr(type(place), "put", broken)
    with pytest.raises(RetryLater):
        system.write([order("SUB-42")])
    monkeypatch.undo()
    assert window(erp)["taken"]["accepted"] == 0

    system.write([order("SUB-42")])
    assert window(erp)["taken"]["accepted"] == 1
    window(erp)
    assert erp.store.count("ORDERS") == 1


# The engine


class Book:
    """What the ledger knows of attempts."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.outcomes: dict[str, Outcome] = {}
        self.calls: dict[str, Attempted] = {}

    def record_intents(self, write_ids: Any) -> None:
        for each in write_ids:
            self.calls[each] = Attempted(self.clock.now(), self.clock.now())

    def record_outcomes(self, outcomes: Any) -> None:
        self.outcomes |= {each.write_id: each for each in outcomes}

    def attempted(self, write_ids: Any) -> dict[str, Attempted]:
        told = {each: self.outcomes[each].code for each in write_ids if each in self.outcomes}
        return {
            each: Attempted(at.first_at, at.started_at, self.clock.now(), is_awaited=told.get(each) == AWAITED)
            for each, at in self.calls.items()
            if each in write_ids
        }


def applied(system: Ecc, book: Book, *requests: Request) -> dict[str, Outcome]:
    writes = [Write(each, "order", "ecc", each.write_id, each.write_id, (), None) for each in requests]
    states = {key: outcome.state for key, outcome in book.outcomes.items()}
    return apply(Application(system, book, lambda _: SHAPE, book.clock), writes, states)


def test_the_engine_sends_once_waits_quietly_and_confirms_in_a_later_run(
    system: Ecc, erp: Sandbox, clock: VirtualClock
) -> None:
    book, fate = Book(clock), []
    for _ in range(3):
        ended = applied(system, book, order("SUB-42"), order("SUB-43", customer="0000100018"))
        fate.append([(ended[key].state, ended[key].code) for key in ("w-SUB-42", "w-SUB-43")])
        window(erp)

    assert fate[0] == fate[1] == [(State.IN_DOUBT, AWAITED)] * 2
    assert fate[2] == [(State.CONFIRMED, "acknowledged"), (State.REFUSED, "vp_204")]
    assert erp.store.count("ORDERS") == 1
    assert len(list((erp.vendor.folder / "arch" / "ORDERS").glob("*.idoc"))) == 1


def test_an_update_is_awaited_and_confirmed_as_a_create_is(system: Ecc, erp: Sandbox, clock: VirtualClock) -> None:
    window(erp)
    body = {"NAME1": "Acme Inc", "LAND1": "US"}
    request = Request("w-1", "DEBMAS", Operation.UPDATE, "0000100017", "link-1", body)
    book = Book(clock)
    states = []
    for _ in range(3):
        states.append(applied(system, book, request)["w-1"].state)
        window(erp)

    assert states == [State.IN_DOUBT, State.IN_DOUBT, State.CONFIRMED]
    assert json.loads(system.fetch("DEBMAS", SHAPE, ["0000100017"])["0000100017"].payload)["NAME1"] == "Acme Inc"


def test_an_outage_while_a_write_is_awaited_leaves_it_awaited(
    system: Ecc, erp: Sandbox, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = Book(clock)
    applied(system, book, order("SUB-42"))

    def down(requests: Any) -> Any:
        raise RetryLater("its SFTP server does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(system, "write", down)
        ended = applied(system, book, order("SUB-42"))
    assert (ended["w-SUB-42"].state, ended["w-SUB-42"].code) == (State.IN_DOUBT, AWAITED)

    window(erp)
    window(erp)
    assert applied(system, book, order("SUB-42"))["w-SUB-42"].state is State.CONFIRMED


def test_a_worker_that_was_killed_after_its_file_left_sends_no_second_one(
    system: Ecc, erp: Sandbox, clock: VirtualClock
) -> None:
    book = Book(clock)
    book.record_intents(["w-SUB-42"])
    book.outcomes["w-SUB-42"] = Outcome("w-SUB-42", State.INTENT)
    system.write([order("SUB-42")])

    ended = applied(system, book, order("SUB-42"))

    assert ended["w-SUB-42"].code == AWAITED
    assert len(list((erp.vendor.folder / "in" / "ORDERS").glob("*.idoc"))) == 1


def test_a_document_is_found_by_its_key_from_the_acknowledgement_before_any_extract_tells_of_it(
    system: Ecc, erp: Sandbox
) -> None:
    system.write([order("SUB-42"), order("SUB-43")])
    window(erp)
    assert system.find("ORDERS", ["SUB-42", "nobody"]) == {}
    window(erp)
    for extract in (erp.vendor.folder / "out" / "ORDERS").glob("*_000002.*"):
        extract.unlink()

    found = system.find("ORDERS", ["SUB-42", "nobody"])

    assert {key: each.record_id for key, each in found.items()} == {"SUB-42": "0000004701"}


# Reading


def three_extracts(erp: Sandbox) -> list[Path]:
    window(erp)
    for name in ("one", "two"):
        erp.vendor.admin("put", {"interface": "DEBMAS", "row": {"NAME1": name, "LAND1": "DE"}})
        window(erp)
    return sorted((erp.vendor.folder / "out" / "DEBMAS").glob("*.csv"))


def test_a_read_starts_with_the_full_extract_and_goes_on_behind_its_cursor(system: Ecc, erp: Sandbox) -> None:
    three_extracts(erp)
    rows, cursor = read(system, "DEBMAS", SHAPE)
    erp.vendor.admin("delete", {"interface": "DEBMAS", "number": "0000200001"})
    window(erp)
    pages = list(system.read("DEBMAS", SHAPE, cursor))

    assert [row["NAME1"] for row in rows] == ["Acme", "one", "two"]
    assert cursor == {"sequence": 3}
    assert [(page.record_ids, page.deleted, page.cursor) for page in pages] == [
        (["0000200001"], [True], {"sequence": 4})
    ]
    assert (system.count("DEBMAS"), [list(some) for some in system.ids("DEBMAS")]) == (
        2,
        [["0000100017", "0000200002"]],
    )
    assert not system.changed({"DEBMAS": {"sequence": 4}})
    assert system.identity() == "PRDCLNT100"


def broken(path: Path, how: str) -> None:
    content = path.read_bytes()
    control = path.with_suffix(".ctl")
    match how:
        case "truncated":
            path.write_bytes(content[:-5])
        case "code page":
            sign(path, content.replace(b"one", b"\x81"))
        case "column":
            sign(path, content.replace(b";one;", b";on;e;"))
        case "count":
            control.write_text(control.read_text().replace("record_count=1", "record_count=2"))
        case "sum":
            control.write_text(control.read_text().replace("amount_total=0", "amount_total=1"))
        case "interface":
            control.write_text(control.read_text().replace("interface=DEBMAS", "interface=ORDERS"))
        case "mode":
            control.write_text(control.read_text().replace("mode=DELTA", "mode=SOME"))


def sign(path: Path, content: bytes) -> None:
    """Another content under a control file that fits it."""
    control = path.with_suffix(".ctl")
    before, after = (hashlib.sha256(each).hexdigest() for each in (path.read_bytes(), content))
    control.write_text(control.read_text().replace(before, after))
    path.write_bytes(content)


@pytest.mark.parametrize("how", ["truncated", "code page", "column", "count", "sum", "interface", "mode"])
def test_a_drop_that_is_wrong_is_refused_whole_and_read_when_it_was_mended(system: Ecc, erp: Sandbox, how: str) -> None:
    _, second, _ = three_extracts(erp)
    saved = {path: path.read_bytes() for path in (second, second.with_suffix(".ctl"))}
    broken(second, how)
    pages = system.read("DEBMAS", SHAPE, None)
    first = next(pages)

    with pytest.raises(MalformedPage, match=rf"{second.stem} is refused as a whole"):
        next(pages)

    for path, content in saved.items():
        path.write_bytes(content)
    rest, cursor = read(system, "DEBMAS", SHAPE, first.cursor)
    assert ([row["NAME1"] for row in rest], cursor) == (["one", "two"], {"sequence": 3})


def test_a_gap_holds_what_is_behind_it_until_it_is_filled_or_a_full_extract_comes(system: Ecc, erp: Sandbox) -> None:
    _, second, _ = three_extracts(erp)
    aside = second.with_suffix(".aside")
    second.with_suffix(".ctl").rename(aside)
    with pytest.raises(MalformedPage, match="number 2 is missing"):
        read(system, "DEBMAS", SHAPE, {"sequence": 1})

    erp.vendor.admin("extract", None)
    rows, cursor = read(system, "DEBMAS", SHAPE, {"sequence": 1})
    assert ([row["NAME1"] for row in rows], cursor) == (["Acme", "one", "two"], {"sequence": 4})

    aside.rename(second.with_suffix(".ctl"))
    rows, _ = read(system, "DEBMAS", SHAPE, {"sequence": 1})
    assert [row["NAME1"] for row in rows] == ["one", "two", "Acme", "one", "two"]


def test_the_same_file_twice_is_one_and_another_under_its_number_is_refused(system: Ecc, erp: Sandbox) -> None:
    _, second, _ = three_extracts(erp)
    for suffix in (".csv", ".ctl"):
        copy = second.with_name(second.name.replace("_000002", "").replace(".csv", "") + "_000002" + suffix)
        copy = copy.with_name(copy.name.replace("PRDCLNT100_2026", "PRDCLNT100_2027"))
        copy.write_bytes(second.with_suffix(suffix).read_bytes())
    rows, _ = read(system, "DEBMAS", SHAPE, {"sequence": 1})
    assert [row["NAME1"] for row in rows] == ["one", "two"]

    sign(copy.with_suffix(".csv"), b"another")
    with pytest.raises(MalformedPage, match="another file has the same number"):
        read(system, "DEBMAS", SHAPE, {"sequence": 1})


def test_numbers_that_went_back_and_changes_without_a_full_extract_are_told(system: Ecc, erp: Sandbox) -> None:
    first, *_ = three_extracts(erp)
    with pytest.raises(MalformedPage, match="went back from 9 to 3"):
        read(system, "DEBMAS", SHAPE, {"sequence": 9})

    first.with_suffix(".ctl").unlink()
    with pytest.raises(FixConfiguration, match="ask for a full extract"):
        read(system, "DEBMAS", SHAPE)


def test_numbers_with_a_decimal_comma_and_grouping_are_read_exactly(
    tmp_path: Path, clock: VirtualClock, erp: Sandbox
) -> None:
    erp.vendor.admin("settings", {"decimal": ","})
    item = {"POSNR": "000010", "MATNR": "SKU-1", "FKIMG": "-1.000", "NETWR": "-1234.50", "MWSBP": "0.00"}
    erp.vendor.admin("put", {"interface": "INVOIC", "row": {"WAERK": "EUR", "FKDAT": "00000000", "items": [item]}})
    window(erp)
    (path,) = (tmp_path / "out" / "INVOIC").glob("*.csv")
    sign(path, path.read_bytes().replace(b"1234,50-", b"1.234,50-"))

    ((row,), _) = read(opened(tmp_path, clock=clock, decimal=","), "INVOIC", INVOICES)

    assert row["items"] == [{"MATNR": "SKU-1", "FKIMG": "-1.000", "NETWR": "-1234.50"}]
    assert row["FKDAT"] is None


class Counted(OwnDisk):
    """A disk that counts what is done on it."""

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()

    def names(self, folder: Path) -> list[str]:
        self.done["names"] += 1
        return super().names(folder)

    def read(self, path: Path) -> bytes:
        self.done["read"] += 1
        return super().read(path)


def test_reading_costs_a_listing_and_two_files_an_extract_and_nothing_new_costs_a_listing(
    tmp_path: Path, clock: VirtualClock, erp: Sandbox
) -> None:
    disk = Counted()
    system = opened(tmp_path, clock=clock, disk=disk)
    three_extracts(erp)
    _, cursor = read(system, "DEBMAS", SHAPE)
    assert disk.done == {"names": 1, "read": 6}

    system.changed({"DEBMAS": cursor})
    read(system, "DEBMAS", SHAPE, cursor)
    assert disk.done == {"names": 3, "read": 6}


def test_reading_costs_a_visit_and_one_an_extract_and_one_tells_of_all_objects_what_is_new(
    system: Ecc, erp: Sandbox
) -> None:
    three_extracts(erp)
    _, cursor = read(system, "DEBMAS", SHAPE)
    assert system.calls.by_route == {"VISIT": 1 + 3}

    assert system.changed({"DEBMAS": cursor, "ORDERS": None, "INVOIC": None}) == {"ORDERS", "INVOIC"}
    assert system.calls.by_route == {"VISIT": 1 + 3 + 1}
    read(system, "DEBMAS", SHAPE, cursor)
    assert system.calls.by_route == {"VISIT": 1 + 3 + 2}


# Where the files lie


@pytest.fixture
def served(erp: Sandbox) -> Iterator[Callable[..., Ecc]]:
    """Opens the adapter on an SFTP server over the folder; its own kind of server may be given."""
    servers: list[SftpServer] = []

    def serve(files: type[asyncssh.SFTPServer] = asyncssh.SFTPServer, **options: str) -> Ecc:
        server = SftpServer(erp.vendor.folder, files=files).start()
        servers.append(server)
        url, keys = server.told["url"], {name: server.told[name] for name in ("host_key", "private_key")}
        settings = SystemSettings("ecc", "ecc", url, options={**OPTIONS, **keys, **options})
        return open_system(settings, clock=erp.clock)

    yield serve
    for each in servers:
        each.stop()


def test_over_sftp_all_is_as_in_a_folder(served: Callable[..., Ecc], erp: Sandbox) -> None:
    system = served()
    window(erp)

    (sent,) = system.write([order("SUB-42")])
    window(erp)
    window(erp)

    assert sent.code == AWAITED
    assert system.write([order("SUB-42")])[0].state is State.CONFIRMED
    assert system.identity() == "PRDCLNT100"
    assert [row["KUNNR"] for row in read(system, "DEBMAS", SHAPE)[0]] == ["0000100017"]
    assert files(erp, "in/ORDERS") == []


def test_a_rename_whose_reply_is_lost_is_in_doubt_and_then_found_awaited(
    served: Callable[..., Ecc], erp: Sandbox
) -> None:
    class Cutting(asyncssh.SFTPServer):
        def rename(self, oldpath: bytes, newpath: bytes) -> None:
            super().rename(oldpath, newpath)
            if newpath.endswith(b".ctl"):
                self.channel.get_connection().abort()

    with pytest.raises(InDoubt):
        served(Cutting).write([order("SUB-42")])

    (told,) = served().write([order("SUB-42")])

    assert told.code == AWAITED
    assert len(list((erp.vendor.folder / "in" / "ORDERS").glob("*.ctl"))) == 1


class ShakyDisk(OwnDisk):
    """A mounted folder whose server answers an error though it has renamed, or before it does."""

    def __init__(self, *, has_renamed: bool) -> None:
        self.has_renamed = has_renamed

    def rename(self, path: Path, to: Path) -> None:
        if self.has_renamed or to.suffix != ".ctl":
            super().rename(path, to)
        if to.suffix == ".ctl":
            raise OSError(errno.EIO, "the server does not answer")


@pytest.mark.parametrize("has_renamed", [True, False])
def test_a_rename_of_which_a_mounted_folder_tells_an_error_is_in_doubt_and_then_there_once(
    tmp_path: Path, clock: VirtualClock, erp: Sandbox, system: Ecc, has_renamed: bool
) -> None:
    shaky = opened(tmp_path, clock=clock, disk=ShakyDisk(has_renamed=has_renamed))

    with pytest.raises(InDoubt, match="nobody saw the end of a rename"):
        shaky.write([order("SUB-42")])
    clock.advance(60)
    (told,) = system.write([order("SUB-42")])

    assert told.code == AWAITED
    assert len(list((erp.vendor.folder / "in" / "ORDERS").glob("*.ctl"))) == 1


def test_an_upload_that_breaks_off_leaves_nothing_that_is_taken(served: Callable[..., Ecc], erp: Sandbox) -> None:
    class Cutting(asyncssh.SFTPServer):
        def write(self, file_obj: object, offset: int, data: bytes) -> int:
            self.channel.get_connection().abort()
            return 0

    with pytest.raises(RetryLater, match="does not answer"):
        served(Cutting).write([order("SUB-42")])

    assert window(erp)["taken"] == {"accepted": 0, "refused": 0, "repeated": 0, "held": 0}


def test_another_host_key_and_a_key_that_is_not_known_are_for_a_person_and_no_secret_is_told(
    served: Callable[..., Ecc], erp: Sandbox
) -> None:
    stranger = asyncssh.generate_private_key("ssh-ed25519")
    public, private = stranger.export_public_key().decode(), stranger.export_private_key().decode()

    with pytest.raises(FixConfiguration, match="HostKeyNotVerifiable"):
        served(host_key=public).identity()
    with pytest.raises(FixConfiguration, match="PermissionDenied") as told:
        served(private_key=private).identity()
    assert private not in repr(told.value)
    with pytest.raises(FixConfiguration, match="is no key") as told:
        served(private_key="-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n")
    assert "AAAA\n" not in str(told.value)


def test_a_server_that_is_down_is_tried_later_and_a_folder_that_is_not_there_is_for_a_person(
    served: Callable[..., Ecc], tmp_path: Path, clock: VirtualClock
) -> None:
    system = served()
    settings = SystemSettings("ecc", "ecc", "sftp://sync@127.0.0.1:9/", options={**OPTIONS, **_keys()})
    with pytest.raises(RetryLater):
        open_system(settings, clock=clock).identity()
    with pytest.raises(FixConfiguration, match="not there"):
        opened(tmp_path / "nowhere", clock=clock).identity()
    with pytest.raises(FixConfiguration, match="no extract"):
        system.identity()


def _keys() -> dict[str, str]:
    key = asyncssh.generate_private_key("ssh-ed25519")
    return {"host_key": key.export_public_key().decode(), "private_key": key.export_private_key().decode()}


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("windows", "often", "needs windows like"),
        ("zone", "Mars", "needs windows like"),
        ("encoding", "klingon", "no code page"),
        ("sender", "", "needs 'sender'"),
    ],
)
def test_a_setting_that_is_wrong_is_named(
    tmp_path: Path, clock: VirtualClock, option: str, value: str, told: str
) -> None:
    with pytest.raises(FixConfiguration, match=told):
        opened(tmp_path, clock=clock, **{option: value})
