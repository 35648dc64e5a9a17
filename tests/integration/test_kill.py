"""A run that is killed or interrupted anywhere, and run again, ends where an undisturbed one does.

The process is real, and it dies at a chosen moment: when it has told a step, or while a write of it is on its
way. The systems are stand-ins in this process, so that they outlive it.
"""

from __future__ import annotations

import signal
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from deadly import NOTHING, Deadly, World

from sync_pipelines.ledger.embedded import Embedded
from sync_pipelines.sandbox import company

pytestmark = pytest.mark.timeout(900)

SEED = 11
INTERRUPTED, DIFFERENCES = 130, 3


@pytest.fixture(scope="module")
def made() -> company.Company:
    return company.generate(SEED)


@pytest.fixture(scope="module")
def new_world(postgres: Embedded, made: company.Company) -> Iterator[Callable[[], World]]:
    """Makes worlds that are alike."""
    names: list[str] = []
    with ExitStack() as stack:

        def make() -> World:
            names.append(f"test_{uuid4().hex[:12]}")
            postgres.ensure(names[-1])
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sync-kill-")))
            return World(made, postgres.url(names[-1]), folder, stack)

        yield make
    for name in names:
        postgres.drop(name)


@dataclass(frozen=True)
class Undisturbed:
    world: World
    summary: dict[str, Any]


@pytest.fixture(scope="module")
def undisturbed(new_world: Callable[[], World]) -> Undisturbed:
    """A world in which one run went through."""
    world = new_world()
    ended = world.run("run")
    assert ended.code == 0, ended.err
    assert ended.told["writes"]["confirmed"] > 200
    return Undisturbed(world, ended.told)


CUSTOMER, CATALOG, ORDER, INVOICE, ENTITLEMENT = (
    ("customer",),
    ("customer", "product", "pricing"),
    ("order",),
    ("invoice",),
    ("entitlement",),
)
IN_EVERY_VERB = [
    Deadly(CUSTOMER, told="salesforce/Account"),
    Deadly(CUSTOMER, told="customer/salesforce"),
    Deadly(CUSTOMER, told="customer/stripe"),
    Deadly(CUSTOMER, told="customer/links"),
    Deadly(CUSTOMER, told="customer/plan/stripe"),
    Deadly(CUSTOMER, told="customer/writes/stripe"),
    Deadly(CUSTOMER, told="customer/reconciliation"),
]
"""Each step is followed by one of the next verb: extract, conform, match, plan, apply, reconcile, report."""

ON_THE_WIRE = [
    Deadly(CUSTOMER, route="POST /v1/customers$", nth=3, when="before"),
    Deadly(CUSTOMER, route="POST /v1/customers$", nth=2, when="late"),
    Deadly(CUSTOMER, route="POST /v1/customers$", nth=2, by=signal.SIGINT),
    Deadly(CATALOG, route="POST /v1/prices/", when="before"),
    Deadly(ORDER, route="sale.sale.confirm$", when="before"),
    Deadly(INVOICE, route="account.invoice.create$"),
    Deadly(INVOICE, route="account.invoice.post$", by=signal.SIGINT),
    Deadly(ENTITLEMENT, route="PATCH .*/composite/sobjects/Entitlement/", when="late"),
]


def test_runs_that_were_killed_or_interrupted_anywhere_end_where_an_undisturbed_one_does(
    new_world: Callable[[], World], undisturbed: Undisturbed
) -> None:
    world = new_world()

    for deadly in (*ON_THE_WIRE[:3], *IN_EVERY_VERB, *ON_THE_WIRE[3:]):
        ended = world.run("run", *deadly.domains, until=deadly)
        assert ended.out == "", deadly
        if deadly.by is signal.SIGKILL:
            assert ended.code == -signal.SIGKILL, (deadly, ended.err)
        else:
            assert ended.code == INTERRUPTED, (deadly, ended.err)
            assert ended.err.endswith("Nothing is lost: run again, and it goes on from what is true then.\n")

    mended = world.run("run")
    assert mended.code == 0, mended.err
    assert mended.told["writes"]["in_doubt"] == mended.told["writes"]["failed"] == 0
    for fact in ("linked", "findings", "exceptions"):
        assert mended.told[fact] == undisturbed.summary[fact], fact
    assert world.holds == undisturbed.world.holds
    assert world.counts == undisturbed.world.counts
    assert world.exceptions == undisturbed.world.exceptions

    before = world.writes
    idle = world.run("run")
    assert idle.code == 0, idle.err
    assert idle.told["writes"] == NOTHING
    assert world.writes == before


def test_runs_that_start_at_once_on_the_same_domains_write_every_record_once(
    new_world: Callable[[], World], undisturbed: Undisturbed
) -> None:
    world = new_world()

    both = world.run_at_once(("run",), ("run",))
    ended = world.run("run")

    assert [each.code for each in both] == [0, 0], [each.err for each in both]
    assert ended.code == 0, ended.err
    assert world.holds == undisturbed.world.holds
    assert world.exceptions == undisturbed.world.exceptions


def test_a_plan_that_is_applied_twice_is_applied_once_also_when_killed_between(
    new_world: Callable[[], World],
) -> None:
    world = new_world()
    planned = world.run("plan", "customer", "product")
    untouched = world.writes

    killed = world.run("apply", until=Deadly(route="POST /v1/customers$", nth=2))
    applied = world.run("apply")
    once = world.writes
    again = world.run("apply")

    assert planned.code == DIFFERENCES
    assert set(untouched.values()) == {0}
    assert killed.code == -signal.SIGKILL, killed.err
    assert applied.code == 0, applied.err
    assert applied.told["writes"] == {**NOTHING, "confirmed": planned.told["planned"]}
    assert again.code == 0, again.err
    assert again.told["writes"] == applied.told["writes"]
    assert world.writes == once
    assert set(_sync_ids(world, "customer").values()) == {1}


def _sync_ids(world: World, table: str) -> Counter[str]:
    """How often each external id is there among Stripe's records of a kind."""
    marks = (row["metadata"].get("sync_id") for row in world.stores["stripe"].all(table))
    return Counter(mark for mark in marks if mark)
