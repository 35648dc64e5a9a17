"""What the engine's tests share: a lake whose tables live in memory, for the integration tests have a real one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import duckdb
import pytest
from scene import Scene, settings

from sync_pipelines.domains import DOMAINS
from sync_pipelines.lake import Lake
from sync_pipelines.lake.macros import MACROS
from sync_pipelines.lake.tables import TABLES


@pytest.fixture
def lake() -> Iterator[Lake]:
    """An empty lake."""
    with duckdb.connect(config={"threads": 1}) as db:
        db.execute("ATTACH ':memory:' AS lake")
        db.execute("SET TimeZone = 'UTC'")
        for statement in (*(first for first, *_ in TABLES.values()), *MACROS):
            db.execute(statement)
        yield Lake(db)


@pytest.fixture
def scene(lake: Lake) -> Callable[..., Scene]:
    """Opens a scene of one domain: `scene("customer", systems=["crm", "erp"], create=["erp"])`."""

    def opened(domain: str, **declared: object) -> Scene:
        return Scene(lake, DOMAINS[domain], settings(domain, **declared))

    return opened
