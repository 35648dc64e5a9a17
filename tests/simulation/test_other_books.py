"""The documents of a fourth system are judged too: to the cent and the currency, as their owner has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal

import psycopg
import pytest

from sync_pipelines.testing.simulation import injector, other_books, others
from sync_pipelines.testing.simulation.campaign import Field
from sync_pipelines.testing.simulation.invariant import check, names
from sync_pipelines.testing.simulation.life import Ended, live
from sync_pipelines.testing.simulation.story import Story
from sync_pipelines.testing.simulation.world import World, closing, topology_of

DOMAINS = ("customer", "order", "invoice")
Lived = tuple[str, World, Ended]
Row = dict[str, object]


@pytest.fixture(scope="module", params=["chargebee", "ecc", "netsuite", "s4hana"])
def lived(request: pytest.FixtureRequest, field: Field) -> Iterator[Lived]:
    """A company with a fourth system that keeps documents, to which nothing happened."""
    topology = topology_of(field.topology_path, state=field.state)
    stories = (Story(number, DOMAINS, ("full",), (60,), ()) for number in range(999))
    story = next(each for each in stories if others.beside(each, topology) == (request.param,))
    world = World.make(story, field.ground.fresh(), topology=topology, injectors=injector.HAPPENINGS)
    with closing(world):
        yield request.param, world, live(world)


def test_a_company_to_which_nothing_happened_breaks_nothing_and_has_documents_that_agree(lived: Lived) -> None:
    system, world, ended = lived

    held = {domain: papers(world) for domain, (papers, _) in other_books.KEPT[system].items()}

    assert check(world, ended) == []
    assert all(len(papers) > 2 for papers in held.values())
    for domain, papers in held.items():
        leading = {paper.number: paper.amount_minor for paper in other_books._OWNERS[domain][1](world)}
        assert sum(leading.get(paper.number) == paper.amount_minor for paper in papers) > 1


def more(text: object) -> str:
    return str(Decimal(str(text)) + Decimal("0.01"))


def _item(row: Row) -> Row:
    first, *rest = row["items"]  # type: ignore[misc]
    return {"items": [{**first, "NETWR": more(first["NETWR"])}, *rest]}


DEARER: dict[str, dict[str, tuple[str, Callable[[Row], Row]]]] = {
    "chargebee": {"invoice": ("invoice", lambda row: {"total": int(str(row["total"])) + 1})},
    "ecc": {"order": ("ORDERS", _item), "invoice": ("INVOIC", _item)},
    "netsuite": {
        "order": ("transaction", lambda row: {"subtotal": more(row["subtotal"])}),
        "invoice": ("transaction", lambda row: {"total": more(row["total"])}),
    },
    "s4hana": {
        "order": ("A_SalesOrder", lambda row: {"TotalNetAmount": more(row["TotalNetAmount"])}),
        "invoice": ("A_BillingDocument", lambda row: {"TotalGrossAmount": more(row["TotalGrossAmount"])}),
    },
}
"""By system and domain a table, and what makes one of its documents a cent dearer."""
ITEM = (
    "INSERT INTO ledger.work_items (fingerprint, domain, kind, owner, system, record_id, label, reason, evidence,"
    " opened_at, due_at, run_id) VALUES ('f', %s, 'differs', 'finance', %s, %s, '', '', '{{}}', now(), now(), 'r')"
)


@pytest.mark.parametrize("domain", ["order", "invoice"])
def test_a_cent_too_much_there_is_a_violation_unless_an_exception_about_that_system_names_it(
    lived: Lived, domain: str
) -> None:
    system, world, ended = lived
    if domain not in DEARER[system]:
        pytest.skip(f"{system} keeps no {domain}s")
    (table, change), store = DEARER[system][domain], world.boxes[system].store
    owned = {paper.number: paper.amount_minor for paper in other_books._OWNERS[domain][1](world)}
    papers, _ = other_books.KEPT[system][domain]
    paper = next(p for p in papers(world) if owned.get(p.number) == p.amount_minor and p.amount_minor > 0)
    row = dict(store.table(table).rows[paper.record_id])
    url = world.planes.url.replace("postgresql+psycopg://", "postgresql://")

    def judged(told_of: str = "") -> set[str]:
        with psycopg.connect(url, autocommit=True) as connection:
            if told_of:
                connection.execute(ITEM.replace("{{}}", "{}"), [domain, told_of, paper.record_id])
            try:
                return names(check(world, ended))
            finally:
                connection.execute("DELETE FROM ledger.work_items WHERE fingerprint = 'f'")

    store.put(table, paper.record_id, {**row, **change(row)})
    untold, told_of_another, told = judged(), judged("tryton"), judged(system)
    store.put(table, paper.record_id, row)

    assert "other_documents_agree" in untold & told_of_another
    assert "other_documents_agree" not in told
    assert check(world, ended) == []


def test_what_we_made_there_with_another_amount_is_a_violation_whatever_exceptions_say(lived: Lived) -> None:
    system, world, ended = lived
    kept = other_books.KEPT[system].items()
    made = [(d, p) for d, (papers, _) in kept for p in papers(world) if not other_books._is_seeded(world, d, p)]
    if not made:
        assert system in ("chargebee", "s4hana")
        return
    domain, paper = made[0]
    table, change = DEARER[system][domain]
    store = world.boxes[system].store
    row = dict(store.table(table).rows[paper.record_id])

    store.put(table, paper.record_id, {**row, **change(row)})
    broken = names(check(world, ended))
    store.put(table, paper.record_id, row)

    assert "what_we_wrote_there_is_right" in broken
