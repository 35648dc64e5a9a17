"""The deliberate bugs can still be put into the engine; `make mutants` hunts them."""

from __future__ import annotations

import ast

import pytest
from hunt import PACKAGE, ROOT, Mutant, mutants

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
