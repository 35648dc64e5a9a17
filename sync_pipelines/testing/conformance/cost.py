"""Questions about calls, the scarce resource, counted where they arrive."""

from __future__ import annotations

import math

from sync_pipelines.engine.port import Cursor
from sync_pipelines.testing.conformance.asking import create, fetch, question, read, settled, stored
from sync_pipelines.testing.facts import Facts

MARGIN = 1.05
"""How much more than the fewest possible calls a read may cost."""
IDLE_MAX = 2
"""Calls that a look and a read may cost together where nothing has changed."""


@question("page_max")
def a_full_read_costs_as_few_calls_as_its_pages_allow(facts: Facts) -> str:
    facts.put(*(f"full-{number}" for number in range(facts.system.passport.page_max + 1)))
    facts.system.identity()
    return _read_costs(facts, None)


@question("page_max")
def a_read_after_the_cursor_costs_as_few_calls_as_its_pages_allow(facts: Facts) -> str:
    cursor, made = _rested(facts)
    for record_id in made[:5]:
        facts.change(record_id, f"changed {record_id}")
    return _read_costs(facts, cursor)


@question()
def a_look_and_a_read_cost_at_most_two_calls_where_nothing_changed(facts: Facts) -> str:
    cursor, _ = _rested(facts)
    before = facts.arrived()
    facts.system.changed(facts.object, cursor)
    read(facts, cursor)
    cost = facts.arrived() - before
    return f"they cost {cost} calls" if cost > IDLE_MAX else ""


@question()
def the_adapter_counts_the_calls_that_arrive(facts: Facts) -> str:
    (record_id,) = facts.put("counted")
    facts.system.identity()
    before, counted = facts.arrived(), facts.system.calls.total
    read(facts)
    fetch(facts, record_id)
    facts.system.write([create(facts, "counted too")])
    arrived, told = facts.arrived() - before, facts.system.calls.total - counted
    return "" if arrived == told else f"{arrived} calls arrived, and {told} were counted"


def _rested(facts: Facts) -> tuple[Cursor | None, list[str]]:
    """A cursor behind which nothing has changed for longer than a read reaches back, and the records before it."""
    made = facts.put(*(f"rest-{number}" for number in range(10)))
    facts.clock.sleep(facts.system.passport.overlap_seconds + 5)
    made += facts.put("newest")
    cursor = settled(facts)
    facts.clock.sleep(facts.system.passport.overlap_seconds + 5)
    return stored(cursor), made


def _read_costs(facts: Facts, cursor: Cursor | None) -> str:
    before = facts.arrived()
    size = sum(len(page.record_ids) for page in read(facts, cursor))
    cost = facts.arrived() - before
    fewest = math.ceil(size / facts.system.passport.page_max)
    most = math.floor(fewest * MARGIN) + min(facts.beside_pages, 1)
    return f"{size} records cost {cost} calls, and need {fewest}" if cost > most else ""
