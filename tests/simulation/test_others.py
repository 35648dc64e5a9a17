"""A life may have a fourth system, in which things go wrong as in the three, and which is judged with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from sync_pipelines.testing.simulation import injector, others
from sync_pipelines.testing.simulation.campaign import Field, story_of
from sync_pipelines.testing.simulation.company import SYSTEMS
from sync_pipelines.testing.simulation.invariant import check, names
from sync_pipelines.testing.simulation.life import Ended, live
from sync_pipelines.testing.simulation.story import Story, may_have_files
from sync_pipelines.testing.simulation.world import World, closing, topology_of


def peaceful(seed: int) -> Story:
    return Story(seed, ("customer",), ("full",), (60,), ())


@pytest.fixture(scope="module")
def lived(field: Field) -> Iterator[tuple[World, Ended]]:
    """A company with HubSpot, to which nothing happened."""
    topology = topology_of(field.topology_path, state=field.state)
    seed = next(seed for seed in range(999) if others.beside(peaceful(seed), topology) == ("hubspot",))
    world = World.make(peaceful(seed), field.ground.fresh(), topology=topology, injectors=injector.HAPPENINGS)
    with closing(world):
        yield world, live(world)


def test_every_system_that_can_be_judged_comes_up_and_most_lives_have_none(field: Field) -> None:
    topology = topology_of(field.topology_path, state=field.state)

    drawn = Counter(name for seed in range(300) for name in others.beside(story_of(seed), topology))

    assert drawn.keys() == others.HELD.keys() == topology.systems.keys() - set(SYSTEMS)
    assert 10 < drawn[others.FILES] < 40
    assert 60 < drawn.total() < 180


def test_the_system_that_is_reached_by_files_takes_no_other_ones_place(field: Field) -> None:
    topology = topology_of(field.topology_path, state=field.state)
    without = others.narrowed(topology, topology.systems.keys() - {others.FILES})

    for seed in range(300):
        with_it, before = others.beside(story_of(seed), topology), others.beside(story_of(seed), without)
        assert with_it == before or (with_it, before) == ((others.FILES,), ())
        befallen = [event.name for event in story_of(seed).events if injector.KINDS[event.name].by_files]
        assert not befallen or may_have_files(seed)


def test_a_company_is_brought_into_agreement_in_the_fourth_system_too(lived: tuple[World, Ended]) -> None:
    world, ended = lived

    made = [row for _, row in others.held(world, "hubspot", "customer")
            if ("hubspot", "companies", row["id"]) not in world.seeded]  # fmt: skip

    assert check(world, ended) == []
    assert made or world.boxes["hubspot"].store.writes


def test_what_is_made_twice_or_under_another_name_there_is_a_violation(lived: tuple[World, Ended]) -> None:
    world, ended = lived
    companies = world.boxes["hubspot"].store.table("companies")
    ((_, row), *_) = others.held(world, "hubspot", "customer")
    number = row["properties"]["customer_number"]

    companies.rows["99"] = {**row, "id": "99"}
    twice = check(world, ended)
    del companies.rows["99"]
    renamed = {**row, "properties": {**row["properties"], "name": "Somebody Else"}}
    companies.rows[row["id"]] = renamed
    other = check(world, ended)
    companies.rows[row["id"]] = row

    assert next(v.told for v in twice if v.invariant == "no_duplicates").startswith(
        f"hubspot.companies {number} is there 2"
    )
    assert names(other) == {"customers_agree"}
