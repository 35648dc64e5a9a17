"""The deliberate bugs can still be put into the engine; `make mutants` hunts them."""

from __future__ import annotations

import ast

import pytest
from hunt import PACKAGE, ROOT, Hunt, Mutant, in_order, mutants, name_in, tally, with_table

from sync_pipelines.testing.simulation import injector
from sync_pipelines.testing.simulation.campaign import story_of

MUTANTS = mutants()


def test_there_are_enough_of_them_and_no_two_are_the_same() -> None:
    assert len(MUTANTS) >= 25
    assert len({each.name for each in MUTANTS}) == len({(each.path, each.old, each.new) for each in MUTANTS})
    assert len({each.name for each in MUTANTS}) == len(MUTANTS)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_changes_the_engine_into_another_valid_program(mutant: Mutant) -> None:
    source = (ROOT / mutant.path).read_text()

    changed = mutant.applied(source)

    assert mutant.path.startswith(f"{PACKAGE}/")
    if mutant.path.endswith(".py"):
        assert ast.dump(ast.parse(changed)) != ast.dump(ast.parse(source))


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_what_hunts_a_mutant_exists(mutant: Mutant) -> None:
    assert set(mutant.faults) <= set(injector.KINDS)
    assert not mutant.test or _is_there(mutant.test)


def _is_there(test: str) -> bool:
    path, _, name = test.partition("::")
    return f"def {name}(" in (ROOT / path).read_text()


def test_seeds_with_the_fault_that_shows_a_bug_are_lived_first_and_none_is_left_out() -> None:
    mutant = Mutant("any", "", "", "", "", faults=["F9.period_closed"], domain="order")

    ordered = in_order(mutant, range(1, 61))

    story = story_of(ordered[0])
    assert "order" in story.domains
    assert "F9.period_closed" in {event.name for event in story.events}
    assert sorted(ordered) == list(range(1, 61))


def test_the_page_tells_of_every_mutant_and_of_no_other() -> None:
    page = (ROOT / "docs/reference/mutants.md").read_text()

    told = {name_in(line): line for line in page.splitlines() if name_in(line)}

    assert sorted(told) == sorted(each.name for each in MUTANTS)
    assert [each.name for each in MUTANTS if each.breaks not in told[each.name]] == []
    assert tally(page.splitlines()) in page.splitlines()


def test_a_table_is_brought_up_to_date_row_by_row() -> None:
    page = "# Bugs\n\n| Deliberate bug | What it does | Caught by |\n| --- | --- | --- |\n| `a` | Loses. | `old` |\n"
    a, b = (Mutant(name, "Loses.", "", "", "") for name in "ab")

    told = with_table(page, [Hunt(a, ("new",), 7), Hunt(b)])

    assert told.splitlines()[4:] == ["| `a` | Loses. | `new`, seed 7 |", "| `b` | Loses. | nothing |"]
