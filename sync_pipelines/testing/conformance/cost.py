"""Questions about calls, the scarce resource, counted where they arrive.

A first read goes before what is counted: it logs in, and asks what is asked once a run.
"""

from __future__ import annotations

import math

from sync_pipelines.engine.port import Cursor, Shape
from sync_pipelines.testing.conformance.asking import create, fetch, question, read, settled, stored
from sync_pipelines.testing.facts import Facts

MARGIN = 1.05
"""How much more than the fewest possible calls a read may cost."""
IDLE_MAX = 2
"""Calls that a look and a read may cost together where nothing has changed."""


@question("page_max")
def a_full_read_costs_as_few_calls_as_its_pages_allow(facts: Facts) -> str:
    facts.put(*(f"full-{number}" for number in range(facts.system.passport.page_max + 1)))
    read(facts)
    facts.clock.sleep(facts.system.passport.overlap_seconds + 5)
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
    facts.system.changed({facts.object: cursor})
    read(facts, cursor)
    cost = facts.arrived() - before
    return f"they cost {cost} calls" if cost > IDLE_MAX else ""


@question("looks_at")
def one_call_tells_of_as_many_objects_as_are_claimed_which_of_them_changed(facts: Facts) -> str:
    cursor, (record_id, *_) = _rested(facts)
    claimed = facts.system.passport.looks_at
    shapes = dict(list({facts.object: facts.shape, **facts.beside}.items())[:claimed])
    reached = {name: cursor if name == facts.object else _reached(facts, name, shapes[name]) for name in shapes}
    facts.clock.sleep(facts.system.passport.overlap_seconds + 5)
    cursors = {name: _reached(facts, name, shapes[name], reached[name]) for name in shapes}
    before = facts.system.calls.total
    quiet = facts.system.changed(cursors)
    cost, told = facts.system.calls.total - before, len(cursors.keys() - quiet)
    if cost > 1 or told < claimed:
        return f"{cost} calls told of {told} objects that they did not change, and {claimed} are claimed for one"
    facts.clock.sleep(2)
    facts.change(record_id, "changed")
    found, before = facts.system.changed(cursors), facts.system.calls.total
    for name in found - {facts.object}:
        list(facts.system.read(name, shapes[name], cursors[name]))
    is_told = facts.object in found and facts.system.calls.total == before
    return "" if is_told else "it does not tell of which object a change is"


@question("tells_identity")
def a_read_from_a_cursor_tells_whose_it_is_where_that_is_claimed(facts: Facts) -> str:
    cursor, _ = _rested(facts)
    read(facts, cursor)
    before = facts.system.calls.total
    facts.system.identity()
    cost = facts.system.calls.total - before
    return f"the identity cost {cost} more" if cost and facts.system.passport.tells_identity else ""


@question()
def the_adapter_counts_the_calls_that_arrive(facts: Facts) -> str:
    (record_id,) = facts.put("counted")
    read(facts)
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


def _reached(facts: Facts, object: str, shape: Shape, since: Cursor | None = None) -> Cursor | None:
    """The cursor after everything of an object was read; as it was where there was nothing."""
    pages = list(facts.system.read(object, shape, since))
    return stored(pages[-1].cursor) if pages else since


def _read_costs(facts: Facts, cursor: Cursor | None) -> str:
    before = facts.arrived()
    size = sum(len(page.record_ids) for page in read(facts, cursor))
    cost = facts.arrived() - before
    fewest = math.ceil(size / facts.system.passport.page_max)
    most = math.floor(fewest * MARGIN) + min(facts.beside_pages, 1)
    return f"{size} records cost {cost} calls, and need {fewest}" if cost > most else ""
