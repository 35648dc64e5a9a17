"""The directory follows the canonical tables: changed rows only, and everything where nobody knows what is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from scene import Row, Scene

from sync_pipelines.engine import directory
from sync_pipelines.engine.conform import table
from sync_pipelines.engine.directory import Entries

ACME = {"record_id": "1", "name": "Acme", "number": "C-1"}
GLOBEX = {"record_id": "2", "name": "Globex", "number": "C-2"}


@pytest.fixture
def customers(scene: Callable[..., Scene]) -> Scene:
    return scene("customer")


def told(scene: Scene, *rows: Row, kept: str | None) -> Entries | None:
    """What a directory that holds `kept` is told, once the records are these."""
    directory.remember(scene.lake, scene.domain, "crm")
    scene.hold("crm", *rows)
    return directory.changes(scene.lake, scene.domain, "crm", kept=kept)


def begun(scene: Scene, *rows: Row) -> str:
    first = told(scene, *rows, kept=None)
    assert first is not None
    assert first.is_whole
    return first.fingerprint


def ids(entries: Entries | None) -> Any:
    return entries and sorted(entries.found.column("record_id").to_pylist())


def test_a_directory_that_holds_nothing_is_told_everything(customers: Scene) -> None:
    first = told(customers, ACME, GLOBEX, kept=None)

    assert ids(first) == ["1", "2"]


def test_what_is_unchanged_is_not_told(customers: Scene) -> None:
    kept = begun(customers, ACME, GLOBEX)

    assert told(customers, GLOBEX, ACME, kept=kept) is None


def test_only_records_that_changed_are_told(customers: Scene) -> None:
    kept = begun(customers, ACME, GLOBEX)

    changed = told(customers, ACME, {**GLOBEX, "number": "C-3"}, {"record_id": "3", "name": "New"}, kept=kept)

    assert changed is not None
    assert (ids(changed), changed.gone, changed.is_whole) == (["2", "3"], ("2",), False)


def test_a_record_that_is_there_no_longer_leaves_the_directory(customers: Scene) -> None:
    kept = begun(customers, ACME, GLOBEX)

    changed = told(customers, ACME, kept=kept)

    assert changed is not None
    assert (ids(changed), changed.gone) == ([], ("2",))


def test_after_a_crash_between_the_planes_everything_is_told_again(customers: Scene) -> None:
    kept = begun(customers, ACME, GLOBEX)
    assert told(customers, ACME, kept=kept) is not None  # and the process dies before the ledger has it

    changed = told(customers, ACME, kept=kept)

    assert changed is not None
    assert (ids(changed), changed.is_whole) == (["1"], True)


def test_what_postgresql_cannot_keep_is_left_out(customers: Scene) -> None:
    customers.hold("crm", ACME)
    place = table("customer", "crm")
    customers.lake.db.execute(f"UPDATE {place} SET label = 'A' || chr(0) || repeat('b', 3000)")

    first = directory.changes(customers.lake, customers.domain, "crm", kept=None)

    assert first is not None
    assert first.found.column("label").to_pylist() == ["A" + "b" * (directory.LONGEST - 1)]
