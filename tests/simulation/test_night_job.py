"""A system that is reached by files: its windows, what befalls them and its folder, and what has to hold of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

import psycopg
import pytest

from sync_pipelines.engine.port import Operation, Request, State
from sync_pipelines.engine.topology import SystemSettings
from sync_pipelines.errors import InDoubt, RetryLater
from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.ecc import seed
from sync_pipelines.sandbox.launch import open_sandbox
from sync_pipelines.systems.ecc import Ecc, open_system
from sync_pipelines.systems.ecc.window import Windows
from sync_pipelines.testing.simulation import file_fault, injector, others
from sync_pipelines.testing.simulation.campaign import Field
from sync_pipelines.testing.simulation.file_line import SimulatedDisk
from sync_pipelines.testing.simulation.invariant import check, names
from sync_pipelines.testing.simulation.life import Ended, live
from sync_pipelines.testing.simulation.line import Traffic
from sync_pipelines.testing.simulation.night_job import IDOCS, Mishap, NightJob, Slip
from sync_pipelines.testing.simulation.pulse import Died, Pulse
from sync_pipelines.testing.simulation.story import Story
from sync_pipelines.testing.simulation.world import World, closing, topology_of

BEGINNING = datetime(2026, 11, 23, 14, tzinfo=UTC)
OPTIONS = {
    "windows": "22:00 02:00",
    "zone": "Europe/Berlin",
    "client": "100",
    "sender": "SYNC",
    "receiver": "PRDCLNT100",
    "encoding": "cp1252",
}


class Company:
    """An ECC with one customer, and a process that sends it an order."""

    def __init__(self) -> None:
        self.clock, self.pulse, self.told = VirtualClock(BEGINNING), Pulse(), list[tuple[str, str]]()
        self.box = open_sandbox("ecc", clock=VirtualClock(BEGINNING))
        seed(self.box.store, {"DEBMAS": [{"KUNNR": "100017", "NAME1": "Acme", "LAND1": "US"}]})
        self.job = NightJob(
            self.box,
            Windows((time(22), time(2)), ZoneInfo("Europe/Berlin")),
            self.clock,
            tell=lambda line: None,
            note=lambda name, told: self.told.append((name, told)),
            rng=Random(1),
            done_until=BEGINNING - timedelta(days=1),
        )
        self.traffic = Traffic(self.clock, self.pulse, tell=lambda line: None, happen=lambda kind: None)
        self.job.catch_up()
        self.pulse.begin()

    @property
    def system(self) -> Ecc:
        settings = SystemSettings("ecc", "ecc", self.job.folder.as_uri(), options=OPTIONS)
        disk = SimulatedDisk("ecc", self.job, self.traffic, encoding="cp1252")
        return open_system(settings, clock=self.clock, disk=disk)

    def order(self) -> State:
        item = {"MATNR": "SKU-1", "KWMENG": "3", "NETWR": "1785.00"}
        head = {"BSTKD": "D-1", "KUNNR": "100017", "BUKRS": "US01", "AUDAT": "2026-11-23", "WAERK": "EUR"}
        request = Request("w-1", "ORDERS", Operation.CREATE, None, "D-1", {**head, "items": [item]})
        (told,) = self.system.write([request])
        return told.state

    def read(self) -> list[str]:
        pages = self.system.read("ORDERS", {"BSTKD": "VARCHAR"}, None)
        return [record_id for page in pages for record_id in page.record_ids]

    @property
    def orders(self) -> int:
        return self.box.store.count("ORDERS")


@pytest.fixture
def company() -> Company:
    return Company()


def test_what_is_sent_before_a_window_is_taken_there_and_posted_in_the_next(company: Company) -> None:
    company.order()

    company.clock.advance(6 * 3600)
    assert (company.job.idocs(), company.orders) == ([], 0)
    company.clock.advance(3600 + 60)
    company.job.catch_up()
    assert [idoc["status"] for idoc in company.job.idocs()] == ["64"]
    company.job.pass_windows(1)

    assert (company.orders, company.order()) == (1, State.CONFIRMED)


@pytest.mark.parametrize("nth", range(1, 25))
def test_a_process_that_dies_before_any_step_on_the_folder_leaves_one_order_in_the_end(
    company: Company, nth: int
) -> None:
    company.pulse.begin({"files": nth})
    with pytest.raises(Died):
        any(company.order() is State.CONFIRMED for _ in range(2))
    company.pulse.begin()

    company.clock.advance(60)
    company.order()
    company.job.pass_windows(2)

    assert (company.orders, company.order()) == (1, State.CONFIRMED)


@pytest.mark.parametrize("verb", ["PUT", "RENAME", "LIST"])
@pytest.mark.parametrize("how", ["before", "half", "after"])
def test_a_disk_that_fails_at_any_step_leaves_one_order_in_the_end(company: Company, verb: str, how: str) -> None:
    company.job.slips += [Slip(verb, how)]
    with pytest.raises((InDoubt, RetryLater)):
        company.order()
    company.clock.advance(60)
    company.order()
    company.job.pass_windows(2)

    assert (company.orders, company.order()) == (1, State.CONFIRMED)
    assert company.job.slips == []


WINDOWS = {
    "frozen": file_fault._frozen,
    "results_late": file_fault._results_late,
    "results_twice": file_fault._results_twice,
    "extract_cut_off": file_fault._extract_cut_off,
    "control_file_missing": file_fault._control_file_missing,
    "never_acknowledged": file_fault._never_acknowledged,
}


@pytest.mark.parametrize("chance", range(4))
@pytest.mark.parametrize("name", WINDOWS)
def test_what_befalls_a_window_waits_for_something_to_spoil_and_is_mended_by_windows_or_by_peace(
    company: Company, name: str, chance: int
) -> None:
    company.job.mishaps.append(Mishap(name, WINDOWS[name], chance))
    company.job.pass_windows(1)
    assert (company.told, len(company.job.mishaps)) == ([], 1)

    company.order()
    company.job.pass_windows(2)
    assert ([each for each, _ in company.told], company.job.mishaps) == ([name], [])
    company.job.calm()
    company.job.pass_windows(3)

    if not company.job.forgotten:
        assert (company.orders, company.order(), len(company.read())) == (1, State.CONFIRMED, 1)
    else:
        assert (company.orders, company.order()) == (0, State.IN_DOUBT)


def test_an_extract_that_is_cut_off_or_without_its_control_file_is_not_read(company: Company) -> None:
    company.order()
    company.job.pass_windows(1)
    company.job.mishaps.append(Mishap("cut", file_fault._extract_cut_off, 0))
    company.job.pass_windows(1)

    with pytest.raises(Exception, match="refused as a whole"):
        company.read()


# What has to hold


@pytest.fixture(scope="module")
def lived(field: Field) -> Iterator[tuple[World, Ended]]:
    """A company with an ECC, to which nothing happened."""
    topology = topology_of(field.topology_path, state=field.state)
    stories = (Story(number, ("customer", "order"), ("full",), (60,), ()) for number in range(999))
    story = next(each for each in stories if others.beside(each, topology) == (others.FILES,))
    world = World.make(story, field.ground.fresh(), topology=topology, injectors=injector.HAPPENINGS)
    with closing(world):
        yield world, live(world)


def night_of(world: World) -> NightJob:
    assert world.night is not None
    return world.night


def test_a_company_is_brought_into_agreement_by_files_in_the_windows_alone(lived: tuple[World, Ended]) -> None:
    world, ended = lived
    job = night_of(world)

    stamps = {path.name[-17:-11] for path in job.folder.glob("out/*/*.ctl")}

    assert check(world, ended) == []
    assert sum(idoc["status"] == "53" for idoc in job.idocs()) > 2
    assert stamps <= {"220000", "020000"}


def test_a_write_that_is_in_two_files_is_a_violation(lived: tuple[World, Ended]) -> None:
    world, ended = lived
    control = next(night_of(world).folder.glob("arch/*/*.ctl"))
    copies = [
        path.with_name(path.name.replace("_SYNC_", "_SYNC_2_")) for path in (control, control.with_suffix(".idoc"))
    ]
    for path in copies:
        path.write_bytes(path.with_name(path.name.replace("_SYNC_2_", "_SYNC_")).read_bytes())

    broken = check(world, ended)
    for path in copies:
        path.unlink()

    assert names(broken) == {"files_carry_a_write_once"}


def test_what_is_confirmed_and_not_posted_is_a_violation_and_so_is_the_reverse(lived: tuple[World, Ended]) -> None:
    world, ended = lived
    store = world.boxes[others.FILES].store
    key, idoc = next((key, idoc) for key, idoc in store.table(IDOCS).rows.items() if idoc["status"] == "53")

    store.put(IDOCS, key, {**idoc, "status": "51"})
    unposted = check(world, ended)
    store.put(IDOCS, key, {**idoc, "key": "w-unknown"})
    unknown = check(world, ended)
    store.put(IDOCS, key, idoc)

    assert names(unposted) == {"confirmed_is_posted"}
    assert "the ledger knows nothing of it" in " ".join(each.told for each in unknown)


def test_a_customer_under_another_name_or_an_order_that_is_there_twice_is_a_violation(
    lived: tuple[World, Ended],
) -> None:
    world, ended = lived
    store = world.boxes[others.FILES].store
    customer, order = store.all("DEBMAS")[0], store.all("ORDERS")[0]

    store.put("DEBMAS", customer["KUNNR"], {**customer, "NAME1": "Somebody Else", "NAME2": ""})
    renamed = check(world, ended)
    store.put("DEBMAS", customer["KUNNR"], customer)
    store.put("ORDERS", "9999999999", {**order, "VBELN": "9999999999"})
    twice = check(world, ended)
    store.delete("ORDERS", "9999999999")

    assert names(renamed) == {"customers_agree"}
    assert "no_duplicates" in names(twice)


def test_a_doubt_is_left_only_where_the_file_was_forgotten_and_an_exception_says_so(
    lived: tuple[World, Ended],
) -> None:
    world, ended = lived
    job = night_of(world)
    idoc = next(idoc for idoc in job.idocs() if idoc["interface"] == "ORDERS")
    where = f"WHERE write_id = '{idoc['key']}'"
    item = (
        "INSERT INTO ledger.work_items (fingerprint, domain, kind, owner, system, record_id, label, reason, evidence,"
        f" opened_at, due_at, run_id) SELECT 'f', 'order', 'in_doubt', 'finance', 'ecc', '', label, '', '{{}}',"
        f" now(), now(), 'r' FROM ledger.writes {where}"
    )

    def judged() -> set[str]:
        return names(check(world, ended)) & {"doubts_are_resolved"}

    url = world.planes.url.replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(f"UPDATE ledger.writes SET state = 'in_doubt', code = 'overdue' {where}")  # type: ignore[arg-type]
        alone = judged()
        job.forgotten.add(str(idoc["file"]))
        untold = judged()
        connection.execute(item)  # type: ignore[arg-type]
        told = judged()
        connection.execute("DELETE FROM ledger.work_items WHERE fingerprint = 'f'")
        connection.execute(f"UPDATE ledger.writes SET state = 'confirmed', code = '' {where}")  # type: ignore[arg-type]
    job.forgotten.clear()

    assert (alone, untold, told) == ({"doubts_are_resolved"}, {"doubts_are_resolved"}, set())


def test_what_befalls_files_is_drawn_for_no_other_company() -> None:
    of_files = {name for name, kind in injector.KINDS.items() if kind.by_files}

    assert of_files == {*file_fault.KINDS, "crash.between_files"}
    assert all(replace(injector.KINDS[name], share=0).weight == 0 for name in of_files)
