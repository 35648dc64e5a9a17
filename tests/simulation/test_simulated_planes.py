"""The planes of a simulated life behave as the real ones, and lose what a process had not finished."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sync_pipelines.engine.port import Page
from sync_pipelines.lake import Lake
from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.testing.simulation.campaign import Field
from sync_pipelines.testing.simulation.planes import SimulatedPlanes
from sync_pipelines.testing.simulation.pulse import Died, Pulse
from sync_pipelines.testing.simulation.world import topology_of

AT = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture
def pulse() -> Pulse:
    return Pulse()


@pytest.fixture
def simulated(field: Field, pulse: Pulse) -> Iterator[SimulatedPlanes]:
    topology = topology_of(field.topology_path, state=field.state)
    planes = SimulatedPlanes(field.ground.fresh(), topology=topology, clock=VirtualClock(AT), pulse=pulse)
    yield planes
    planes.close()


def page(*records: tuple[str, str, bool], cursor: int) -> Page:
    return Page(
        record_ids=[record_id for record_id, _, _ in records],
        versions=[version for _, version, _ in records],
        payloads=[b"" if deleted else b'{"name": "%s"}' % version.encode() for _, version, deleted in records],
        deleted=[deleted for _, _, deleted in records],
        cursor={"at": cursor},
    )


def told(lake: Lake) -> list[object]:
    """What a lake says of itself while records come, change, go, and come again."""
    said: list[object] = [lake.cursor("crm", "Account")]
    for number, records in enumerate(
        ([("a", "1", False), ("b", "1", False)], [("a", "1", False)], [("a", "2", False), ("b", "", True)], []), 1
    ):
        said.append(lake.append_page("crm", "Account", page(*records, cursor=number), run_id="r", at=AT))
        said += [lake.cursor("crm", "Account"), sorted(lake.live_ids("crm", "Account")), lake.held("crm", "Account")]
    lake.append_tombstones("crm", "Account", ["a"], run_id="r", at=AT)
    lake.show("crm", {"Account": {"name": "VARCHAR"}})
    said.append(lake.rows('SELECT record_id, version, is_deleted, name FROM crm."Account" ORDER BY record_id'))
    said.append(lake.carried_fields("crm", "Account", ["name"]))
    said += [lake.replace("lake.made", "SELECT 1 AS x"), lake.replace("lake.made", "SELECT 1 AS x")]
    with lake.transaction():
        said += [lake.columns("lake.made"), lake.replace("lake.made", "SELECT 2 AS y"), lake.columns("lake.made")]
    return [*said, lake.columns("lake.nothing"), lake.rows("SELECT * FROM lake.made")]


def test_a_lake_in_memory_tells_what_the_real_lake_tells(lake: Lake, simulated: SimulatedPlanes, field: Field) -> None:
    topology = topology_of(field.topology_path, state=field.state)

    with simulated.open(topology, clock=VirtualClock(AT)) as (in_memory, _):
        assert told(in_memory) == told(lake)


def test_what_a_process_commits_is_there_for_the_next(simulated: SimulatedPlanes, field: Field) -> None:
    topology = topology_of(field.topology_path, state=field.state)
    with simulated.open(topology, clock=VirtualClock(AT)) as (lake, ledger):
        lake.append_page("crm", "Account", page(("a", "1", False), cursor=1), run_id="r", at=AT)
        ledger.start_run("r", "full")

    with simulated.open(topology, clock=VirtualClock(AT)) as (lake, ledger):
        assert (lake.cursor("crm", "Account"), ledger.run("r") is not None) == ({"at": 1}, True)


@pytest.mark.parametrize("nth", range(1, 40))
def test_a_page_and_its_cursor_survive_a_death_together_or_not_at_all(
    simulated: SimulatedPlanes, field: Field, pulse: Pulse, nth: int
) -> None:
    topology = topology_of(field.topology_path, state=field.state)
    pulse.begin({"lake": nth})

    def store() -> None:
        with simulated.open(topology, clock=VirtualClock(AT)) as (lake, _):
            lake.append_page("crm", "Account", page(("a", "1", False), cursor=1), run_id="r", at=AT)

    _until_death(store)

    records = simulated.lake_rows("SELECT count(*) FROM lake.record_log")
    assert records == simulated.lake_rows("SELECT count(*) FROM lake.cursor_log")


@pytest.mark.parametrize("nth", range(1, 8))
def test_a_run_and_its_audit_entry_survive_a_death_together_or_not_at_all(
    simulated: SimulatedPlanes, field: Field, pulse: Pulse, nth: int
) -> None:
    topology = topology_of(field.topology_path, state=field.state)
    pulse.begin({"ledger": nth})

    def start() -> None:
        with simulated.open(topology, clock=VirtualClock(AT)) as (_, ledger):
            ledger.start_run("r", "full")

    _until_death(start)

    runs = simulated.ledger_rows("SELECT count(*) AS n FROM ledger.runs")
    assert runs == simulated.ledger_rows("SELECT count(*) AS n FROM ledger.audit_entries")


def test_the_dead_do_nothing_more(pulse: Pulse) -> None:
    pulse.begin({"lake": 2})
    pulse.beat("lake")

    for plane in ("lake", "ledger", "system"):
        with pytest.raises(Died):
            pulse.beat(plane)


def _until_death(work: Callable[[], None]) -> None:
    try:
        work()
    except Died:
        return


def test_a_schema_of_the_ledger_has_a_template_of_its_own(field: Field, tmp_path: Path) -> None:
    field.ground.prepare()

    assert "simulation" in field.ground.fresh()
