"""Companies to which everything happens that can: the fewest lives in which every kind of fault strikes."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from sync_pipelines.testing.simulation import injector
from sync_pipelines.testing.simulation.campaign import Field, story_of, story_told

SEEDS = (5, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 29, 32, 35, 37, 38, 39, 40, 42, 44, 48, 49, 50, 57, 59, 60, 61)
KINDS = {name for name, kind in injector.KINDS.items() if not kind.share}
STRUCK = re.compile(r"run \d+: (\S+): ")


@pytest.fixture(scope="module")
def struck(request: pytest.FixtureRequest) -> Iterator[set[str]]:
    """The kinds of faults that have struck; at the end none is missing, where all of the seeds were lived."""
    so_far: set[str] = set()
    yield so_far
    lived = sum(item.path == request.path for item in request.session.items)
    missing = KINDS - so_far if lived == len(SEEDS) else set()
    assert not missing, (
        f"{sorted(missing)} struck in no life: add a seed whose story begins with it, see `injector.KINDS`"
    )


def _name_of(seed: int) -> str:
    return f"{seed}-{story_of(seed).events[0].name}"


@pytest.mark.parametrize("seed", SEEDS, ids=_name_of)
def test_a_company_ends_in_agreement_whatever_happened(field: Field, struck: set[str], seed: int) -> None:
    lived = field.live(story_of(seed))

    struck.update(STRUCK.findall("\n".join(lived.happened)))
    assert not lived.violations, story_told(lived, replayed=False)
