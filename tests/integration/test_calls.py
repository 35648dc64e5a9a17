"""Calls are the scarce resource: whole runs over every system cost what pages and batches make unavoidable.

What arrived is told by each stand-in's own log. The fewest calls are computed from what the record log holds, which the
systems' own counts prove, from what was written, and from the passports.
"""

from __future__ import annotations

import importlib
import shutil
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from math import ceil
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import pytest
import requests
from msgspec.structs import replace as changed

from sync_pipelines.clock import Clock
from sync_pipelines.course import VERBS, course, walk
from sync_pipelines.domains import DOMAINS
from sync_pipelines.engine.outcome import Applied, Extraction, Result
from sync_pipelines.engine.port import Deletes, Locking, Operation, Passport, System
from sync_pipelines.engine.topology import SystemSettings, Topology
from sync_pipelines.errors import Stop
from sync_pipelines.ledger.embedded import Embedded
from sync_pipelines.loop import Loop, Mode
from sync_pipelines.sandbox.app import Sandbox
from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.demo import SECRETS
from sync_pipelines.sandbox.launch import open_sandbox
from sync_pipelines.sandbox.transport import InProcess
from sync_pipelines.systems.chargebee.record import KINDS
from sync_pipelines.systems.stripe.feed import GROUPS
from sync_pipelines.testing.simulation import company
from sync_pipelines.testing.simulation.planes import Ground, SimulatedPlanes
from sync_pipelines.testing.simulation.pulse import Pulse
from sync_pipelines.testing.simulation.world import BEGINNING, topology_of

TOPOLOGY = Path(__file__).parents[2] / "sync.all.toml"
MARGIN = 1.05
IDLE_MAX = 2
LOGINS = {
    "POST /services/oauth2/token",
    "POST /oauth/tokens",
    "POST /services/rest/auth/oauth2/v1/token",
    "POST /oauth/<version>/token",
}
"""Calls for a token, which count towards no limit of calls for data."""


@dataclass(frozen=True)
class Costs:
    """What a system's calls come to where it is not one each for the identity, a page, a count and a batch."""

    identity: int = 1
    first: int = 0
    """Calls of a first run for what later ones learn from their reads."""
    login: int = 0
    """Calls of a run that log in by the same route as those for data."""
    count: int = 1
    lists: Mapping[str, int] = field(default_factory=dict)
    """By object, how many lists together show all of it."""
    beside: Mapping[str, int] = field(default_factory=dict)
    """By object, calls for each page beside the page itself."""
    feed: Sequence[Collection[str]] = ()
    """Groups of objects of which one poll names what changed; an object without news then costs nothing."""
    is_marked: bool = False
    """Whether a first read begins with a poll, for the place in the feed from which it is followed."""
    is_batched: bool = True
    batch: int = 1
    """Calls for a batch of several."""
    proof: int = 0
    """Calls before each update that is not batched: is the record what the plan was made from?"""
    create: Mapping[str, int] = field(default_factory=dict)
    """By domain, calls before a batch of creates."""
    once: int = 0
    """Calls before the first write of a run."""
    unseen: int = 0
    """Calls for own writes that no read shows yet, each time that a domain is read again."""


COSTS: Mapping[str, Costs] = {
    "salesforce": Costs(identity=0),  # the login tells it
    # Stripe's feed takes twenty types of events at once. Inactive prices are a list of their own.
    "stripe": Costs(feed=GROUPS, is_marked=True, lists={"prices": 2}, is_batched=False, proof=1),
    "chargebee": Costs(feed=(KINDS,), is_batched=False),
    "tryton": Costs(
        login=1, create=dict.fromkeys(DOMAINS, 1)
    ),  # nothing but a look for them keeps creates from being made twice
    # No search tells associations: a call for each of two kinds. What the app has subscribed to in its journal, and
    # where that ends, is asked when the place in it is taken.
    "hubspot": Costs(beside={"deals": 2}, first=2),
    # A batch is a job that has to be asked after. Slots are fields that may be renamed, and an entitlement goes into a
    # free one. The export is a minute late. Rows name the account that they are of.
    "zendesk": Costs(identity=0, batch=2, once=1, create={"entitlement": 1}, unseen=1),
    # Two queries prove the zone of conditions, until a read by time does.
    "gainsight": Costs(identity=0, first=2),
    "netsuite": Costs(batch=5),  # a job, three questions while it runs, and a query for the ids that it gave
    "s4hana": Costs(identity=0, once=1),  # any answer opens a session, which names the system; writes need its token
    # A visit tells which extracts there are, another fetches one.
    "ecc": Costs(beside=dict.fromkeys(("DEBMAS", "ORDERS", "INVOIC"), 1)),
}
MORE = {"s4hana": 3}
"""Where an incremental run with nothing new costs more than two calls: three services, and a call is to one of them."""
Group = tuple[str, str, str, int]
"""Writes that go in one batch: domain, object, operation, and how many changes of state follow."""


@dataclass(frozen=True)
class Ran:
    """What a run came to in one system, and the calls that arrived there, logins apart."""

    extractions: list[Extraction]
    written: Counter[Group]
    reread: Mapping[str, list[str]]
    """By domain that was written, the objects that its mapping reads."""
    calls: int
    passport: Passport


@dataclass
class World:
    """A small company in all systems, in this process, under one clock that waits for nobody."""

    topology: Topology
    boxes: Mapping[str, Sandbox]
    planes: SimulatedPlanes
    clock: VirtualClock
    opened: dict[str, list[System]] = field(default_factory=dict)

    def run(self, mode: Mode, verbs: Sequence[str] = VERBS) -> dict[str, Ran]:
        self.opened.clear()
        before, run_id = self._arrived(), f"run-{uuid4().hex[:8]}"
        loop_of: Any = partial(Loop.open, clock=self.clock, open_planes=self.planes.open, connect=self._connect)
        with loop_of(self.topology, run_id=run_id, mode=mode, shares_pace=False) as loop:
            told = [each.outcome for each in walk(course(loop, tuple(DOMAINS), verbs))]
            ran = {name: self._ran(loop, told, name, since=before[name]) for name in self.boxes}
        self.clock.advance(3600)
        return ran

    def accounts(self) -> set[str]:
        """The CRM's accounts as the record log holds them after the reads of one more incremental run."""
        with self._incremental() as loop:
            for name in ("Account", "Product2", "Contract"):
                loop.extract("salesforce", name)
            return set(loop.lake.live_ids("salesforce", "Account"))

    def extract(self, system: str, object: str) -> None:
        with self._incremental() as loop:
            loop.extract(system, object)

    def log(self, system: str) -> list[tuple[Any, ...]]:
        """What the record log and the log of cursors hold of a system."""
        logs = ("record_log", "cursor_log")
        return [self.planes.lake_rows(f"SELECT count(*) FROM lake.{n} WHERE system = '{system}'")[0] for n in logs]

    def _incremental(self) -> AbstractContextManager[Loop]:
        loop_of: Any = partial(Loop.open, clock=self.clock, open_planes=self.planes.open, connect=self._connect)
        opened: AbstractContextManager[Loop] = loop_of(
            self.topology, run_id=f"run-{uuid4().hex[:8]}", mode="incremental", shares_pace=False
        )
        return opened

    def _ran(self, loop: Loop, told: Sequence[Any], name: str, *, since: int) -> Ran:
        applied = [each for each in told if isinstance(each, Applied) and each.target == name]
        writes = [each.write for ended in applied for each in loop.ledger.writes(ended.plan_id)]
        requests = [(write.domain, write.request) for write in writes]
        written = {domain for domain, _ in requests}
        return Ran(
            extractions=[each for each in told if isinstance(each, Extraction) and each.system == name],
            written=Counter((domain, r.object, str(r.operation), len(r.then)) for domain, r in requests),
            reread={domain: loop.objects_of(domain, name) for domain in written},
            calls=self._arrived()[name] - since - COSTS[name].login,
            passport=self.opened[name][0].passport,
        )

    def _arrived(self) -> dict[str, int]:
        """Calls by the stand-ins' own logs; files are told by the adapter."""
        logged = {
            name: sum(count for route, count in box.calls.items() if route not in LOGINS)
            for name, box in self.boxes.items()
        }
        return {**logged, "ecc": sum(system.calls.total for system in self.opened.get("ecc", []))}

    def _connect(self, settings: SystemSettings, *, clock: Clock) -> System:
        adapter = importlib.import_module(f"sync_pipelines.systems.{settings.adapter}.adapter")
        if settings.name == "ecc":
            system: System = adapter.open_system(settings, clock=clock)
        else:
            session = requests.Session()
            session.trust_env = False
            session.mount("http://", InProcess(self.boxes[settings.name]))
            system = adapter.open_system(settings, clock=clock, session=session, rng=Random(1))
        self.opened.setdefault(settings.name, []).append(system)
        return system


@pytest.fixture(scope="module")
def world(postgres: Embedded, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder, clock = tmp_path_factory.mktemp("calls"), VirtualClock(BEGINNING)
    ground = Ground(postgres, f"calls_{uuid4().hex[:8]}")
    ground.prepare()
    topology = _topology(folder)
    told = company.rows(company.cut(Random("calls")), topology.systems)
    boxes = {name: open_sandbox(name, clock=clock) for name in told}
    for name, box in boxes.items():
        dated = {"at": BEGINNING - timedelta(days=1)} if name == "tryton" else {}
        importlib.import_module(f"sync_pipelines.sandbox.{name}").seed(box.store, told[name], **dated)
    _work_in(boxes["stripe"])
    erp: Any = boxes["ecc"].vendor
    shutil.rmtree(erp.folder)
    erp.move(folder / "ecc")
    erp.admin("window", None)
    planes = SimulatedPlanes(ground.fresh(), topology=topology, clock=clock, pulse=Pulse())
    yield World(topology, boxes, planes, clock)
    planes.close()
    postgres.drop(ground.name)


def _work_in(billing: Sandbox) -> None:
    """Somebody works in the billing platform, so that its feed has an end: a first run notes it."""
    session = requests.Session()
    session.mount("http://", InProcess(billing))
    session.headers["Authorization"] = f"Bearer {SECRETS['STRIPE_API_KEY']}"
    customer = billing.store.all("customer")[0]["id"]
    session.post(
        f"http://stripe.test/v1/customers/{customer}", data={"description": "Met"}, timeout=9
    ).raise_for_status()


def _topology(folder: Path) -> Topology:
    """All systems, as shipped; ECC is read only, for what becomes of a write is told in a later window."""
    topology = topology_of(TOPOLOGY, state=folder / "state")
    systems = {name: changed(each, reread_days=7) for name, each in topology.systems.items()}
    systems["ecc"] = changed(systems["ecc"], url=(folder / "ecc").as_uri())
    lists = ("create", "update", "void")
    domains = {
        name: changed(each, **{key: [s for s in getattr(each, key) if s != "ecc"] for key in lists})
        for name, each in topology.domains.items()
    }
    return changed(topology, systems=systems, domains=domains)


@pytest.fixture(scope="module")
def runs(world: World) -> list[dict[str, Ran]]:
    """A first full run, the reads of another one, and an incremental run when nothing can come late any more.

    Before it all that was written has been read, and read once more: only then a look is trusted.
    """
    made = [world.run("full"), world.run("full", ("extract",))]
    for _ in range(2):
        world.run("incremental", ("extract",))
    return [*made, world.run("incremental")]


def fewest(name: str, ran: Ran) -> int:
    """The calls that a full run cannot do without."""
    costs = COSTS[name]
    is_first = all(each.is_whole for each in ran.extractions)
    asked = {each.object for each in ran.extractions}
    polls = sum(not asked.isdisjoint(group) for group in costs.feed) if costs.is_marked or not is_first else 0
    read = sum(_read(costs, ran.passport, each) for each in ran.extractions)
    return costs.identity + costs.first * is_first + polls + read + _written(costs, ran) + _read_again(costs, ran)


def _read(costs: Costs, passport: Passport, told: Extraction) -> int:
    """One object: its pages, its ids where only absence tells deletes and not all of it was read, and its count."""
    lists, every = costs.lists.get(told.object, 1), ceil(max(told.held, 1) / passport.page_max)
    pages = every * lists if told.is_whole else 0 if costs.feed else 1
    beside = costs.beside.get(told.object, 0) * pages if told.appended else 0
    sweep = every * lists if passport.deletes is Deletes.SWEEP and not told.is_whole else 0
    return pages + beside + sweep + (costs.count if told.counted is not None else 0)


def _written(costs: Costs, ran: Ran) -> int:
    calls = costs.once if ran.written else 0
    for (domain, _, operation, verbs), size in ran.written.items():
        creates = operation == Operation.CREATE
        batches = ceil(size / ran.passport.batch_max)
        calls += (batches * (costs.batch if size > 1 else 1) if costs.is_batched else size) + batches * verbs
        calls += batches * costs.create.get(domain, 0) if creates else 0
        if not creates and ran.passport.locking is Locking.REREAD:
            calls += size * costs.proof or batches
    return calls


def _read_again(costs: Costs, ran: Ran) -> int:
    """What a run wrote is read again: all that the domain's mapping reads, or what the feed then names."""
    calls = 0
    for domain, objects in ran.reread.items():
        touched = {name for of, name, _, _ in ran.written if of == domain}
        named = touched if costs.feed else objects
        calls += sum(costs.lists.get(each, 1) + costs.beside.get(each, 0) for each in named)
        calls += costs.unseen + (1 if costs.feed else 0)
    return calls


@pytest.mark.parametrize("name", COSTS)
@pytest.mark.parametrize("place", [0, 1], ids=["first", "second"])
def test_a_full_run_costs_no_more_calls_than_it_cannot_do_without(
    runs: list[dict[str, Ran]], name: str, place: int
) -> None:
    ran = runs[place][name]

    assert fewest(name, ran) <= ran.calls <= MARGIN * fewest(name, ran)


@pytest.mark.parametrize("name", COSTS)
def test_an_incremental_run_with_nothing_new_costs_two_calls_or_one_a_service(
    runs: list[dict[str, Ran]], name: str
) -> None:
    ran = runs[2][name]

    if ran.passport.looks_at == 1:
        assert ran.calls == COSTS[name].identity + len(ran.extractions)
    assert ran.calls <= IDLE_MAX or ran.calls == MORE.get(name) == len(ran.extractions)
    assert not any(each.appended or each.deleted for each in ran.extractions)


def test_an_object_that_was_not_read_says_so(runs: list[dict[str, Ran]]) -> None:
    looked = [ran for ran in runs[2].values() if ran.passport.looks_at > 1]
    reasons = [check.reason for ran in looked for told in ran.extractions for check in told.checks]

    assert looked
    assert all(each.read == each.calls == 0 for ran in looked for each in ran.extractions)
    assert sum("a look found it unchanged" in reason for reason in reasons) == sum(len(r.extractions) for r in looked)


def test_what_becomes_visible_late_is_read_though_a_look_would_not_see_it(
    world: World, runs: list[dict[str, Ran]]
) -> None:
    crm: Any = world.boxes["salesforce"].vendor
    late = crm.admin("save_late", {"object": "Account", "values": {"Name": "Late"}, "seconds": 900})["id"]
    world.clock.advance(60)
    newer = crm.admin("save_late", {"object": "Account", "values": {"Name": "Newer"}, "seconds": 0})["id"]

    early = world.accounts()
    world.clock.advance(1000)
    then = world.accounts()

    assert newer in early
    assert late in then - early


def test_nothing_is_kept_of_a_copy_that_answers_in_the_place_of_a_system(
    world: World, runs: list[dict[str, Ran]]
) -> None:
    erp: Any = world.boxes["s4hana"].vendor
    before = world.log("s4hana")
    partner = {"OrganizationBPName1": "Made in the copy", "BusinessPartnerCategory": "2"}
    erp.admin("save_late", {"set": "A_BusinessPartner", "values": partner, "seconds": 0})
    erp.admin("settings", {"sid": "S4Q"})
    try:
        with pytest.raises(Stop, match="s4hana now answers as 'S4Q_100"):
            world.extract("s4hana", "A_BusinessPartner")
    finally:
        erp.admin("settings", {"sid": "S4H"})

    assert world.log("s4hana") == before
    world.extract("s4hana", "A_BusinessPartner")
    assert world.log("s4hana") != before


def test_the_runs_are_what_their_names_say(world: World, runs: list[dict[str, Ran]]) -> None:
    first, second, idle = ({name: ran.written.total() for name, ran in each.items()} for each in runs)
    proofs = [check for ran in runs[1].values() for each in ran.extractions for check in each.checks]

    assert first.keys() == world.topology.systems.keys() == COSTS.keys()
    assert all(size > 0 for name, size in first.items() if name not in ("salesforce", "ecc"))
    assert set(second.values()) == set(idle.values()) == {0}
    assert not [check.subject for check in proofs if check.name == "complete" and check.result is Result.FAILED]
