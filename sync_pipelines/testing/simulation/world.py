"""A world: one small company, its systems in this process, one clock for all, and whatever befalls it."""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import requests
from msgspec.structs import replace as changed

from sync_pipelines import config
from sync_pipelines.clock import Clock
from sync_pipelines.engine.plan import Write
from sync_pipelines.engine.port import System
from sync_pipelines.engine.topology import SystemSettings, Topology
from sync_pipelines.ledger import WorkItem
from sync_pipelines.sandbox.app import Sandbox
from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.demo import Filed, secrets
from sync_pipelines.sandbox.erp import DATABASE
from sync_pipelines.sandbox.launch import VENDORS, open_sandbox
from sync_pipelines.systems import ecc
from sync_pipelines.systems.ecc.window import windows_of
from sync_pipelines.testing.simulation import company, others, staff
from sync_pipelines.testing.simulation.file_line import SimulatedDisk
from sync_pipelines.testing.simulation.line import Line, Traffic
from sync_pipelines.testing.simulation.night_job import NightJob
from sync_pipelines.testing.simulation.planes import SimulatedPlanes
from sync_pipelines.testing.simulation.pulse import Pulse
from sync_pipelines.testing.simulation.staff import DISCARDED, REOPENED
from sync_pipelines.testing.simulation.story import Event, Story

BEGINNING = datetime(2026, 11, 23, 14, tzinfo=UTC)
CALLS_PER_SECOND = 100_000.0
Happen = Callable[["World", Random], str | None]
"""Lets something happen; says what in a few words, or None where nothing could."""


class OwnClock(VirtualClock):
    """A system's clock: the world's, and perhaps some minutes beside it."""

    def __init__(self, base: VirtualClock) -> None:
        super().__init__(base.now())
        self._base = base

    @property
    def virtual(self) -> bool:
        return True

    def now(self) -> datetime:
        return self._base.now() + self._skew

    def advance(self, seconds: float) -> None:
        self._base.advance(seconds)


@dataclass(frozen=True, slots=True)
class Said:
    """What a person said of a write that waited for a word, and how many requests had left by then."""

    after: int
    by: str
    decision: str
    write: Write


@dataclass(frozen=True, slots=True)
class Worked:
    """What a person decided about the write of an exception, and when."""

    at: datetime
    act: str
    item: WorkItem
    write: Write


@dataclass
class World:
    """What lives from the first run to the last; processes come and go in it."""

    story: Story
    topology: Topology
    planes: SimulatedPlanes
    clock: VirtualClock
    pulse: Pulse
    boxes: Mapping[str, Sandbox]
    injectors: Mapping[str, Happen]
    log: list[str] = field(default_factory=list)
    injected: Counter[str] = field(default_factory=Counter)
    happened: list[str] = field(default_factory=list)
    by_hand: set[tuple[str, str, str]] = field(default_factory=set)
    """Records that people or other programs made: system, table, id."""
    seeded: set[tuple[str, str, str]] = field(default_factory=set)
    """Records that were there from the beginning."""
    periods: list[tuple[datetime, str, str]] = field(default_factory=list)
    """When which period of the ERP changed its state, and to what."""
    closings: list[tuple[int, str, str]] = field(default_factory=list)
    """The same, with the number of requests that had left by then instead of the time."""
    applies: list[int] = field(default_factory=list)
    """How many requests had left when each apply began."""
    edits: list[tuple[int, str, str]] = field(default_factory=list)
    """What others changed: how many requests had left, system, and the id ("cus_7", in the ERP "party.party,7")."""
    strangers: list[tuple[str, int]] = field(default_factory=list)
    """Behind which systems another organisation answers, and how many requests had left before."""
    said: list[Said] = field(default_factory=list)
    """What people decided about writes that waited for a word."""
    worked: list[Worked] = field(default_factory=list)
    """What people decided about exceptions, in order."""
    usurped: list[str] = field(default_factory=list)
    """Decisions of people who have no say in them that were heard, and of people who have one that weren't."""
    afterwards: list[Callable[[], None]] = field(default_factory=list)
    """What has to be put right again before peace can come, the latest first: a thing may happen twice."""
    nested: Callable[[], None] = lambda: None
    """Runs the loop once more, while another run is under way."""
    traffic: Traffic = field(init=False)
    night: NightJob | None = field(init=False, default=None)
    """The other side of a system that is reached by files, where there is one."""
    approver: Random = field(init=False)
    """What the people who decide draw from, so that it shifts nothing else."""
    worker: Random = field(init=False)
    """The same for those who work exceptions."""
    is_peaceful: bool = False
    waiting: int = 0
    """How many writes the plans of this run told of that wait for a word, since somebody last looked."""
    _counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        stores = {name: box.store for name, box in self.boxes.items()}
        self.seeded = {
            (n, table, key)
            for n, store in stores.items()
            for table in store.tables()
            for key in store.table(table).rows
        }
        self.approver = Random(f"{self.story.seed}|approver")
        self.worker = Random(f"{self.story.seed}|worker")
        self.traffic = Traffic(self.clock, self.pulse, tell=self.tell, happen=self.happen)
        if others.FILES in self.boxes:
            self.night = self._night_job(self.topology.systems[others.FILES])
            self.night.catch_up()

    @property
    def accepted(self) -> dict[str, Worked]:
        """What people decided to leave as it is, by write id, without what they took back."""
        last = {each.write.request.write_id: each for each in self.worked if each.act in (DISCARDED, REOPENED)}
        return {write_id: each for write_id, each in last.items() if each.act == DISCARDED}

    @classmethod
    def make(cls, story: Story, url: str, *, topology: Topology, injectors: Mapping[str, Happen]) -> World:
        """The company of a story on the day of its beginning."""
        clock, pulse = VirtualClock(BEGINNING), Pulse()
        topology = others.narrowed(topology, {*company.SYSTEMS, *others.beside(story, topology)})
        told = company.rows(company.cut(Random(f"{story.seed}|company")), topology.systems)
        boxes = {name: open_sandbox(name, clock=_clock_of(name, clock)) for name in told}
        for name, box in boxes.items():
            dated = {"at": BEGINNING - timedelta(days=1)} if name == "tryton" else {}
            importlib.import_module(f"sync_pipelines.sandbox.{name}").seed(box.store, told[name], **dated)
        topology = _in_folders(topology, boxes)
        editor = boxes["salesforce"].store.all("User")[0]["Id"]
        topology = staff.hired(_cut_over(topology, story), seed=story.seed, editor=editor)
        planes = SimulatedPlanes(url, topology=topology, clock=clock, pulse=pulse)
        return cls(story, topology, planes, clock, pulse, boxes, injectors)

    def connect(self, settings: SystemSettings, *, clock: Clock) -> System:
        """A system behind the port, over a line on which things go wrong."""
        if self.night is not None and settings.name == others.FILES:
            disk = SimulatedDisk(settings.name, self.night, self.traffic, encoding=settings.option("encoding"))
            return ecc.open_system(settings, clock=clock, disk=disk)
        session = requests.Session()
        session.trust_env = False
        module = importlib.import_module(f"sync_pipelines.systems.{settings.adapter}.adapter")
        settling = module.PASSPORT.settling_seconds
        session.mount("http://", Line(settings.name, self.boxes[settings.name], self.traffic, settling=settling))
        rng = Random(f"{self.story.seed}|{settings.name}|{self.traffic.run}")
        system: System = module.open_system(settings, clock=clock, session=session, rng=rng)
        return system

    def tell(self, line: str) -> None:
        self.log.append(f"{self.clock.now():%m-%d %H:%M:%S} {line}")

    def begin_run(self, number: int) -> None:
        """A new process: its counts start anew, and it may be going to die."""
        self.traffic.run = number
        self._counts.clear()
        deaths = [e for e in self._due_in(number) if e.fault == "crash"]
        self.pulse.begin({e.moment.kind: e.moment.nth for e in sorted(deaths, key=lambda e: -e.moment.nth)})
        self.happen("start")

    def happen(self, kind: str) -> None:
        """One more moment of a kind has come; what was to happen then happens."""
        if self.is_peaceful:
            return
        self._counts[kind] += 1
        for event in self._due_in(self.traffic.run):
            if event.fault != "crash" and (event.moment.kind, event.moment.nth) == (kind, self._counts[kind]):
                self._perform(event)

    def died(self) -> None:
        """The process of this run died: say so, and count it."""
        plane = next(p for p, n in self.pulse.dies_at.items() if self.pulse.beats[p] == n)
        self.note("crash", f"the process dies at {plane} {self.pulse.beats[plane]}")

    def make_peace(self) -> None:
        """From now on nothing goes wrong; what was broken on purpose is whole again."""
        self.traffic.clear()
        self.is_peaceful = True
        self.pulse.begin()
        for put_right in reversed(self.afterwards):
            put_right()
        for box in self.boxes.values():
            box.faults.clear()
            box.clock.skew(0)
        if self.night is not None:
            self.night.calm()

    def _due_in(self, run: int) -> list[Event]:
        return [event for event in self.story.events if event.moment.run == run]

    def _perform(self, event: Event) -> None:
        told = self.injectors[event.name](self, Random(event.seed))
        if told is not None:
            self.note(event.name, told)

    def note(self, name: str, told: str) -> None:
        """Something went wrong: count it, and tell."""
        self.injected[name.partition(".")[0]] += 1
        self.happened.append(f"run {self.traffic.run}: {name}: {told}")
        self.tell(f"*** {name}: {told}")

    def _night_job(self, settings: SystemSettings) -> NightJob:
        """The other side of a folder, whose job has run in the night before."""
        return NightJob(
            self.boxes[settings.name],
            windows_of(settings),
            self.clock,
            tell=self.tell,
            note=self.note,
            rng=Random(f"{self.story.seed}|night"),
            done_until=BEGINNING - timedelta(days=1),
        )


def _clock_of(system: str, clock: VirtualClock) -> VirtualClock:
    """A system's own; where files are all there is, that of its batch job, which stands still between two windows."""
    return VirtualClock(clock.now()) if system == others.FILES else OwnClock(clock)


def _in_folders(topology: Topology, boxes: Mapping[str, Sandbox]) -> Topology:
    """The topology with the address of what is reached by files."""
    urls = {name: box.vendor.folder.as_uri() for name, box in boxes.items() if isinstance(box.vendor, Filed)}
    systems = {name: changed(each, url=urls.get(name, each.url)) for name, each in topology.systems.items()}
    return changed(topology, systems=systems)


def topology_of(path: Path, *, state: Path) -> Topology:
    """The topology of a checkout, with its systems in this process and called one by one."""
    addresses = {f"{name.upper()}_URL": f"http://{name}.test" for name in VENDORS}
    addresses["TRYTON_URL"] += f"/{DATABASE}"
    topology = config.load(path, environment={**secrets(VENDORS), **addresses}, state=state)
    systems = {
        name: changed(settings, calls_per_second=CALLS_PER_SECOND, concurrency=1, reread_days=1)
        for name, settings in topology.systems.items()
    }
    return changed(topology, systems=systems)


CUT_OVER = "F23.cut_over"


def _cut_over(topology: Topology, story: Story) -> Topology:
    """A company that went live with its documents on a day of this year, where the story says so."""
    told = [event for event in story.events if event.name == CUT_OVER]
    if not told:
        return topology
    day = date(2026, Random(told[0].seed).randint(6, 10), 1)
    dated = {name: changed(topology.domains[name], cut_over=day) for name in ("order", "invoice")}
    return changed(topology, domains={**topology.domains, **dated})


@contextmanager
def closing(world: World) -> Iterator[World]:
    try:
        yield world
    finally:
        world.planes.close()


def rows(world: World, system: str, table: str) -> list[Mapping[str, Any]]:
    """What a system holds, past its interface."""
    return world.boxes[system].store.all(table)
