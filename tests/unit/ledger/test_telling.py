"""Every change of state is told in the audit trail: the watch misses none, and every method is watched."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import text
from watch import TELL_NOTHING, TOLD_BY

from sync_pipelines.ledger import Ledger
from sync_pipelines.ledger import ledger as face
from sync_pipelines.ledger.tables import METADATA


def test_every_table_says_how_its_changes_are_told() -> None:
    assert {table.name for table in METADATA.sorted_tables} == {*TOLD_BY, *TELL_NOTHING}


def _finish_quietly(ledger: Ledger, run_id: str) -> None:
    with ledger._change() as change:
        change.connection.execute(text("UPDATE ledger.runs SET state = 'finished'"))
        change.tell("run.finished", f"not {run_id}")


def test_a_change_that_is_not_told_is_caught(ledger: Ledger) -> None:
    ledger.start_run("run-1", "full")

    with pytest.raises(AssertionError, match=r"\('runs', 'run-1'\)"):
        _finish_quietly(ledger, "run-1")

    run = ledger.run("run-1")
    assert run is not None
    assert run.state == "running"


def test_an_update_that_changes_nothing_need_not_be_told(ledger: Ledger) -> None:
    ledger.start_run("run-1", "full")

    with ledger._change() as change:
        change.connection.execute(text("UPDATE ledger.runs SET state = state"))


def test_every_method_that_changes_rows_goes_through_the_watched_door() -> None:
    """A transaction opened elsewhere would not be watched."""
    sources = [path.read_text() for path in Path(face.__file__).parent.glob("*.py")]

    assert sum(source.count(".begin()") for source in sources) == 1
    assert sum(source.count("commit()") for source in sources) == 0


def _changing_methods() -> set[str]:
    methods = re.split(r"^    def ", Path(face.__file__).read_text(), flags=re.MULTILINE)[1:]
    return {method.split("(")[0] for method in methods if "self._change()" in method}


def test_methods_that_change_rows_are_recognised() -> None:
    assert _changing_methods() >= {"start_run", "save_plan", "change_links", "record_intents", "sync_work_items"}


@pytest.mark.parametrize("name", sorted(_changing_methods()))
def test_every_method_that_changes_rows_is_called_under_the_watch(name: str) -> None:
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))

    assert re.search(rf"\.{name}\(", tests), f"no test in tests/unit/ledger calls Ledger.{name}"
