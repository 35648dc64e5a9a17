"""Small makers of what the ledger keeps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pyarrow as pa
import pytest
from sqlalchemy import create_engine
from watch import install, watched

from sync_pipelines.engine.plan import Change, Write
from sync_pipelines.engine.port import Operation, Request
from sync_pipelines.ledger import Ledger, Origin
from sync_pipelines.ledger import ledger as face
from sync_pipelines.ledger.embedded import Embedded

ADDED = ("link_id", "system", "record_id", "rule", "evidence")
ENDED = ("link_id", "system", "record_id", "reason")


@pytest.fixture
def database_url(postgres: Embedded, new_database: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> str:
    """A ledger that is watched: a test fails where a transaction changes a row and tells nothing of it."""
    postgres.ensure_template("watched_ledger", lambda name: _make(postgres.url(name)))
    monkeypatch.setattr(face, "changing", watched)
    return postgres.url(new_database("watched_ledger"))


def _make(url: str) -> None:
    Ledger.open(url).close()
    engine = create_engine(url)
    with engine.begin() as connection:
        install(connection)
    engine.dispose()


def table(names: tuple[str, ...], *rows: tuple[str, ...]) -> pa.Table:
    values = list(zip(*rows, strict=True)) or [()] * len(names)
    return pa.table({name: pa.array(each, pa.string()) for name, each in zip(names, values, strict=True)})


@pytest.fixture
def added() -> Callable[..., pa.Table]:
    """Memberships to add, from rows of link, system and record."""
    return lambda *rows: table(ADDED, *[(*row, "number", "both carry the same number") for row in rows])


@pytest.fixture
def ended() -> Callable[..., pa.Table]:
    """Memberships to end, from rows of link, system and record."""
    return lambda *rows: table(ENDED, *[(*row, "a person said so") for row in rows])


@pytest.fixture
def write() -> Callable[..., Write]:
    def make(name: str = "1", **changed: object) -> Write:
        request = Request(
            write_id=f"write-{name}",
            object="customers",
            operation=Operation.CREATE,
            record_id=None,
            external_id=f"link-{name}",
            body={"name": "Ünïcode & Söhne", "address": {"lines": ["1 Main St"]}, "balance": 12.5, "on": True},
            then=("activate",),
            idempotency_key=f"key-{name}",
            correlation_id=f"deal-{name}",
        )
        changes = (Change("name", None, "Ünïcode & Söhne"), Change("email", "old", None))
        made = Write(request, "customer", "stripe", f"link-{name}", f"C-{name}", changes, None, 1250, "EUR")
        return replace(made, **changed)

    return make


@pytest.fixture
def origin() -> Callable[..., Origin]:
    """What a plan was made from, by run."""
    return lambda run_id="run-1", domain="customer", target="stripe": Origin(run_id, domain, target, 7, "m1", "o1")
