"""What tests share: one PostgreSQL server for the whole session, and fresh planes for each test."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from sync_pipelines.lake import Lake
from sync_pipelines.ledger import Ledger
from sync_pipelines.ledger.embedded import Embedded

_SERVER = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    given = getattr(config, "workerinput", {}).get("postgres")
    config.stash[_SERVER] = Path(given or Path(tempfile.gettempdir()) / f"sync-tests-{uuid4().hex[:8]}")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Workers of pytest-xdist share the server of the session that sent them out."""
    node.workerinput["postgres"] = str(node.config.stash[_SERVER])


def pytest_unconfigure(config: pytest.Config) -> None:
    folder = config.stash.get(_SERVER, None)
    if folder is None or hasattr(config, "workerinput") or not folder.exists():
        return
    Embedded(folder / "postgres", folder / "postgres").stop()
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres(pytestconfig: pytest.Config) -> Embedded:
    """The session's server; it is stopped when the last test has run."""
    return Embedded.start(pytestconfig.stash[_SERVER] / "postgres")


@pytest.fixture
def new_database(postgres: Embedded) -> Iterator[Callable[..., str]]:
    """Makes empty databases, or copies of a template, and drops them after the test."""
    made: list[str] = []

    def make(template: str = "template1") -> str:
        made.append(f"test_{uuid4().hex[:12]}")
        postgres.create_from_template(made[-1], template)
        return made[-1]

    yield make
    for name in made:
        postgres.drop(name)


class StandingClock:
    """Time that passes only when a test says so."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
def database_url(postgres: Embedded, new_database: Callable[..., str]) -> str:
    """An empty database with the ledger's tables in it."""
    postgres.ensure_template("ledger_template", lambda name: Ledger.open(postgres.url(name)).close())
    return postgres.url(new_database("ledger_template"))


@pytest.fixture
def ledger(database_url: str, clock: StandingClock) -> Iterator[Ledger]:
    with Ledger.open(database_url, clock=clock, actor="tests") as opened:
        yield opened


@pytest.fixture
def open_lake(postgres: Embedded, new_database: Callable[..., str], tmp_path: Path) -> Iterator[Callable[[], Lake]]:
    """Opens sessions on one lake of the test's own."""
    postgres.ensure_template("lake_template", lambda name: _make_lake(postgres.libpq(name), tmp_path / "lake"))
    catalog, opened = postgres.libpq(new_database("lake_template")), []

    def make() -> Lake:
        opened.append(Lake.open(catalog=catalog, data=tmp_path / "lake", threads=1))
        return opened[-1]

    yield make
    for session in opened:
        session.close()


def _make_lake(catalog: str, data: Path) -> None:
    Lake.open(catalog=catalog, data=data).close()


@pytest.fixture
def lake(open_lake: Callable[[], Lake]) -> Lake:
    """An empty lake with a catalog of its own."""
    return open_lake()


@pytest.fixture
def second_lake(open_lake: Callable[[], Lake]) -> Lake:
    """Another session on the same lake."""
    return open_lake()
