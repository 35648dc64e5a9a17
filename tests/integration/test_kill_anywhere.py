"""Runs over a real ERP that are killed at random moments, and run again, end where an undisturbed one does.

SYNC_KILLS says how many kills: `make kills` asks for 100, a run of all tests for none. Each world takes some of them
and is then compared.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from uuid import uuid4

import pytest
from deadly import NOTHING, Deadly, World

from sync_pipelines.ledger.embedded import Embedded
from sync_pipelines.sandbox import company
from sync_pipelines.sandbox.demo import make_erp
from sync_pipelines.sandbox.erp import DATABASE, Erp

KILLS = int(os.environ.get("SYNC_KILLS", "0"))
SEED = int(os.environ.get("SYNC_KILLS_SEED", "1"))
KILLS_A_WORLD = 20
"""By then the writes are made, and there is nothing left to interrupt."""
RUNS = (("run", "customer"), ("run", "product", "pricing"), ("run", "customer", "order"), ("run", "order", "invoice"))
APPLY = ("apply",)
"""In the order in which their work depends on one another, so that a kill has something to disturb."""

pytestmark = [
    pytest.mark.timeout(3600),
    pytest.mark.skipif(KILLS == 0, reason="kills at random moments take long: make kills N=20"),
]


@dataclass
class Company:
    """Makes worlds that are alike: a company at its start, in two stand-ins and a real ERP."""

    state: Path
    postgres: Embedded
    made: company.Company
    stack: ExitStack
    databases: list[str] = field(default_factory=list)

    def world(self) -> World:
        """A fresh one; the ERP of the one before is thrown away."""
        erp = Erp(self.state / "erp", self.postgres)
        erp.stop()
        make_erp(self.state, self.postgres, self.made.erp, lambda what: None)
        self.databases.append(f"test_{uuid4().hex[:12]}")
        self.postgres.ensure(self.databases[-1])
        self.stack.callback(erp.stop)
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory(prefix="sync-kills-")))
        return World(self.made, self.postgres.url(self.databases[-1]), folder, self.stack, erp_url=erp.start())


@pytest.fixture(scope="module")
def firm(request: pytest.FixtureRequest) -> Iterator[Company]:
    """With SYNC_TEST_STATE the ERP's templates are kept from one session to the next."""
    kept = os.environ.get("SYNC_TEST_STATE")
    server = Embedded.start(Path(kept) / "postgres") if kept else request.getfixturevalue("postgres")
    with tempfile.TemporaryDirectory(prefix="sync-kills-state-") as name, ExitStack() as stack:
        state = Path(name)
        (state / "postgres").symlink_to(server.folder)
        opened = Company(state, server, company.generate(SEED), stack)
        yield opened
        stack.close()
        for database in (*opened.databases, DATABASE):
            server.drop(database)


@dataclass(frozen=True)
class Undisturbed:
    """What a world comes to when nothing dies, and how long each run takes when it has work."""

    holds: object
    exceptions: object
    seconds: dict[tuple[str, ...], float]


@pytest.fixture(scope="module")
def undisturbed(firm: Company) -> Undisturbed:
    world = firm.world()
    seconds = {}
    for command in RUNS:
        started = time.monotonic()
        world.run(*command)
        seconds[command] = time.monotonic() - started
    ended = world.run("run")
    assert ended.code == 0, ended.err
    return Undisturbed(world.holds, world.exceptions, seconds)


def test_runs_killed_at_random_moments_end_where_an_undisturbed_one_does(
    firm: Company, undisturbed: Undisturbed
) -> None:
    rng, killed = Random(SEED), 0

    while killed < KILLS:
        world = firm.world()
        for strike in range(min(KILLS - killed, KILLS_A_WORLD)):
            killed += _kill(world, rng, undisturbed.seconds, (*RUNS, APPLY)[strike % 5])
        mended = world.run("run")

        assert mended.code == 0, mended.err
        assert mended.told["writes"]["in_doubt"] == mended.told["writes"]["failed"] == 0
        assert world.holds == undisturbed.holds
        assert world.exceptions == undisturbed.exceptions
        idle = world.run("run")
        assert idle.told["writes"] == NOTHING


def _kill(world: World, rng: Random, seconds: dict[tuple[str, ...], float], command: tuple[str, ...]) -> bool:
    """Start a command and kill it at a random moment; False when it was done before."""
    if command == APPLY:
        world.run("plan")
    moment = rng.uniform(0.2, 1.0) * seconds.get(command, max(seconds.values()))
    ended = world.run(*command, until=Deadly(seconds=moment))
    return ended.code < 0
