"""Reaching the systems of a run: outages cost little, are told to a person, and end by themselves."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from msgspec.structs import replace as changed
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from sync_pipelines import config
from sync_pipelines.clock import Clock
from sync_pipelines.engine.port import Passport
from sync_pipelines.engine.topology import SystemSettings, Topology, Window
from sync_pipelines.errors import RetryLater, Stop, SyncError
from sync_pipelines.ledger import Ledger
from sync_pipelines.reach import OUTAGES, Reach
from sync_pipelines.systems.auth import ApiKey
from sync_pipelines.systems.http import Wire, retry_after
from sync_pipelines.systems.registry import Systems
from sync_pipelines.testing.memory import PASSPORT
from tests.conftest import StandingClock

TOPOLOGY = config.load(Path(__file__).parents[2] / "sync.toml", environment={}, strict=False)
MINUTE = timedelta(minutes=1)


@dataclass
class Server(BaseAdapter):
    """Every system's far end: counts what arrives, and is down while it says so."""

    down: bool = False
    throttle: dict[str, str] | None = None
    identity: str = "erp-1"
    arrived: int = 0

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        self.arrived += 1
        if self.down:
            raise requests.ConnectionError("connection refused")
        response = requests.Response()
        response.status_code = 200 if self.throttle is None else 429
        response.headers = CaseInsensitiveDict({"Content-Type": "application/json", **(self.throttle or {})})
        response.raw = io.BytesIO(f'"{self.identity}"'.encode())
        response.request = request
        return response

    def close(self) -> None:
        """There is nothing to close."""


def classify(response: requests.Response) -> SyncError | None:
    return RetryLater("erp asks for patience", after=retry_after(response)) if response.status_code == 429 else None


@dataclass
class Erp:
    """A system with one call, over the wire that all adapters share."""

    wire: Wire
    passport: Passport = PASSPORT

    def identity(self) -> str:
        return str(self.wire.call("GET", "/me", route="GET /me", safe=True).json())


@dataclass
class Site:
    """A ledger, a clock and an ERP; `run` is what the first step of a run does."""

    ledger: Ledger
    clock: StandingClock
    server: Server = field(default_factory=Server)
    topology: Topology = TOPOLOGY

    def reach(self) -> Reach:
        """As a new process has it."""
        systems = Systems(self.topology.systems, clock=self.clock, connect=self.connect)
        return Reach(self.topology, systems, self.ledger, self.clock, "run-1")

    def connect(self, settings: SystemSettings, *, clock: Clock) -> Any:
        session = requests.Session()
        session.mount("http://erp.test", self.server)
        auth, rng = ApiKey("tryton", "secret"), random.Random(3)
        here = changed(settings, url="http://erp.test")
        return Erp(Wire(here, clock=clock, auth=auth, classify=classify, session=session, rng=rng))

    def run(self) -> bool:
        """Whether the system could be asked."""
        try:
            with self.reach().asked("tryton"):
                return True
        except RetryLater:
            return False

    def exceptions(self) -> list[tuple[str, str, str]]:
        return [(each.system, each.owner, each.reason) for each in self.ledger.open_work_items(domain=OUTAGES)]


@pytest.fixture
def site(ledger: Ledger, clock: StandingClock) -> Site:
    return Site(ledger, clock)


def minutely(site: Site, minutes: int) -> int:
    """A run a minute; how many of them could ask."""
    start, asked = site.clock.now(), 0
    for minute in range(minutes):
        site.clock.at = max(site.clock.at, start + minute * MINUTE)
        asked += site.run()
    return asked


def test_six_hours_of_outage_with_a_run_every_minute_cost_no_more_than_twenty_calls(site: Site) -> None:
    site.server.down = True

    assert minutely(site, 6 * 60) == 0

    assert site.server.arrived <= TOPOLOGY.systems["tryton"].attempts + 15


def test_a_system_that_is_back_is_found_within_half_an_hour_and_works_on_as_if_nothing_had_been(site: Site) -> None:
    site.server.down = True
    minutely(site, 6 * 60)
    site.server.down = False

    assert minutely(site, 30) > 0
    assert minutely(site, 10) == 10
    assert site.exceptions() == []


def test_an_outage_is_work_for_a_person_with_since_when_and_is_resolved_by_the_first_answer(site: Site) -> None:
    site.server.down = True
    assert not site.run()

    ((system, owner, reason),) = site.exceptions()
    (item,) = site.ledger.open_work_items(domain=OUTAGES)
    site.server.down = False
    site.clock.sleep(60)
    assert site.run()

    assert (system, owner) == ("tryton", TOPOLOGY.owner_of_outages("tryton"))
    assert reason.startswith("down since 2026-11-23 09:00 UTC: tryton ")
    assert item.due_at == item.opened_at + timedelta(hours=TOPOLOGY.people[owner].due_hours)
    assert site.exceptions() == []


def test_whoever_comes_while_a_system_is_left_alone_is_told_since_when_and_until_when(site: Site) -> None:
    site.server.down = True
    site.run()
    arrived = site.server.arrived

    with (
        pytest.raises(
            RetryLater, match=r"down since 2026-11-23 09:00 UTC, and asked again at 2026-11-23 09:0\d"
        ) as told,
        site.reach().asked("tryton"),
    ):
        pytest.fail("it was asked")

    assert told.value.after is not None
    assert 0 < told.value.after <= 60
    assert site.server.arrived == arrived


def test_a_step_that_fails_after_the_system_was_found_back_leaves_it_alone_for_longer(site: Site) -> None:
    site.server.down = True
    site.run()
    site.server.down = False
    site.clock.sleep(61)

    with pytest.raises(RetryLater, match="gone again"), site.reach().asked("tryton"):
        raise RetryLater("gone again")

    (circuit,) = site.ledger.systems_down()
    assert circuit.failures == 2
    assert not site.run()


def test_a_limit_that_is_used_up_is_asked_again_when_the_vendor_says(site: Site) -> None:
    site.server.throttle = {"Retry-After": "7200"}

    assert not site.run()
    assert site.server.arrived == 1  # longer than any wait in place
    assert minutely(site, 119) == 0
    assert site.server.arrived == 1


def test_a_throttle_that_names_no_time_is_waited_out_with_back_off(site: Site) -> None:
    site.server.throttle = {}

    minutely(site, 60)

    assert site.server.arrived <= TOPOLOGY.systems["tryton"].attempts + 6


def test_another_organisation_is_noticed_when_a_system_comes_back(site: Site) -> None:
    assert site.run()
    site.server.down = True
    site.run()
    site.server.down, site.server.identity = False, "a refreshed copy"
    site.clock.sleep(61)

    with pytest.raises(Stop, match="a refreshed copy"), site.reach().asked("tryton"):
        pytest.fail("it was asked")


def test_a_write_that_was_not_sent_opens_the_circuit_only_if_the_system_is_down(site: Site) -> None:
    site.reach().suspect("tryton")
    assert site.ledger.systems_down() == []

    site.server.down = True
    site.reach().suspect("tryton")

    assert [each.system for each in site.ledger.systems_down()] == ["tryton"]
    assert site.server.arrived == 2


NIGHT = Window(opens="22:00", closes="02:00", zone="America/New_York")


@pytest.fixture
def maintained(site: Site) -> Callable[..., Site]:
    def declared(**more: Any) -> Site:
        tryton = changed(TOPOLOGY.systems["tryton"], maintenance=[changed(NIGHT, **more)])
        site.topology = changed(TOPOLOGY, systems={**TOPOLOGY.systems, "tryton": tryton})
        return site

    return declared


def test_in_its_window_a_system_is_read_and_not_written(maintained: Callable[..., Site]) -> None:
    site = maintained()
    site.clock.at = datetime(2026, 11, 24, 4, tzinfo=UTC)

    assert str(site.reach().hold("tryton")) == "queued until 2026-11-24 07:00 UTC: maintenance"
    assert site.reach().hold("stripe") is None
    assert site.run()
    site.clock.at = datetime(2026, 11, 24, 7, tzinfo=UTC)
    assert site.reach().hold("tryton") is None


def test_a_window_without_reads_keeps_a_system_from_being_asked_and_is_no_outage(
    maintained: Callable[..., Site],
) -> None:
    site = maintained(reads=False)
    site.clock.at = datetime(2026, 11, 24, 4, tzinfo=UTC)

    with pytest.raises(RetryLater, match="not to be read until 2026-11-24 07:00 UTC"), site.reach().asked("tryton"):
        pytest.fail("it was asked")

    assert site.server.arrived == 0
    assert site.exceptions() == []


def test_a_pause_holds_writes_until_its_time_or_a_persons_word(site: Site) -> None:
    site.ledger.pause("tryton", until=site.clock.now() + timedelta(hours=1), by="ann", reason="year-end close")
    assert str(site.reach().hold("tryton")) == "queued until 2026-11-23 10:00 UTC: paused by ann, year-end close"
    site.clock.sleep(3600)
    assert site.reach().hold("tryton") is None

    site.ledger.pause("tryton", until=None, by="ann", reason="year-end close")
    assert str(site.reach().hold("tryton")).startswith("queued until somebody resumes it")
    site.ledger.resume("tryton", by="ann", reason="closed")
    assert site.reach().hold("tryton") is None
