"""One deal from the CRM to the books: it has one correlation id everywhere, and one story."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from msgspec.structs import replace as changed

from sync_pipelines import config
from sync_pipelines.chronicle import Chronicle, tell
from sync_pipelines.course import course, walk
from sync_pipelines.engine.port import State
from sync_pipelines.engine.topology import Planes
from sync_pipelines.ledger.embedded import Embedded
from sync_pipelines.ledger.writes import SavedWrite
from sync_pipelines.loop import Loop
from sync_pipelines.sandbox import company, salesforce, stripe, tryton
from sync_pipelines.sandbox.company.model import Deal
from sync_pipelines.sandbox.demo import DATABASE, SECRETS
from sync_pipelines.sandbox.launch import open_sandbox
from sync_pipelines.sandbox.server import serve

SYNC_TOML = Path(__file__).parents[2] / "sync.toml"
SEED = 1


@dataclass(frozen=True)
class Books:
    """A loop that has run once over all three systems, and the facts behind them."""

    loop: Loop
    deals: tuple[Deal, ...]

    def writes(self, number: str) -> list[SavedWrite]:
        return self.loop.ledger.story(number).writes

    @property
    def deal(self) -> Deal:
        """A deal whose invoice and entitlements this run wrote."""
        return next(
            deal
            for deal in self.deals
            if deal.contract and deal.invoice
            if any(saved.state is State.CONFIRMED for saved in self.writes(deal.invoice.number))
            if any(self.writes(line.item_id) for line in deal.recurring)
        )


@pytest.fixture(scope="module")
def books(postgres: Embedded, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Books]:
    made = company.generate(SEED)
    told = {salesforce: made.salesforce, stripe: made.stripe, tryton: made.erp}
    database = f"story_{uuid4().hex[:12]}"
    postgres.ensure(database)
    with ExitStack() as stack:
        stack.callback(postgres.drop, database)
        urls = {}
        for vendor, rows in told.items():
            name = vendor.__name__.rpartition(".")[2]
            sandbox = open_sandbox(name)
            vendor.seed(sandbox.store, rows)  # type: ignore[attr-defined]
            urls[f"{name.upper()}_URL"] = stack.enter_context(serve(sandbox)).url
        urls["TRYTON_URL"] += f"/{DATABASE}"
        declared = config.load(SYNC_TOML, environment={**SECRETS, **urls}, state=tmp_path_factory.mktemp("state"))
        systems = {name: changed(system, calls_per_second=5000) for name, system in declared.systems.items()}
        topology = changed(declared, systems=systems, planes=Planes(database_url=postgres.url(database)))
        loop = stack.enter_context(Loop.open(topology, run_id="run-1"))
        list(walk(course(loop, list(topology.domains))))
        yield Books(loop, company.imagine(SEED, 1).deals)


def test_every_write_of_a_deal_carries_its_id(books: Books) -> None:
    deal = books.deal
    assert deal.invoice is not None
    named = [deal.number, deal.invoice.number, *(line.item_id for line in deal.recurring)]

    found = [saved for name in named for saved in books.writes(name)]

    assert {saved.write.domain for saved in found} >= {"invoice", "entitlement"}
    assert {saved.write.request.correlation_id for saved in found} == {deal.opportunity_id}


def test_orders_and_their_invoices_share_one_correlation_id(books: Books) -> None:
    pairs = [
        (books.writes(deal.opportunity_id), books.writes(deal.invoice.number)) for deal in books.deals if deal.invoice
    ]

    ids = [({w.write.request.correlation_id for w in (*a, *b)}, len(a), len(b)) for a, b in pairs if a or b]

    assert any(orders and invoices for _, orders, invoices in ids)
    assert {len(each) for each, *_ in ids} == {1}


def test_the_audit_trail_tells_of_a_deal_under_its_id(books: Books) -> None:
    deal = books.deal

    told = books.loop.ledger.audit_of(deal.opportunity_id)

    assert {entry.kind for entry in told} >= {"link.added", "write.planned", "write.intent", "write.confirmed"}
    assert {entry.detail["domain"] for entry in told if entry.kind == "link.added"} >= {
        "order",
        "contract",
        "invoice",
        "entitlement",
    }


def test_exceptions_of_documents_name_their_deal(books: Books) -> None:
    known = {deal.opportunity_id for deal in books.deals}
    items = [item for item in books.loop.ledger.open_work_items() if item.domain in {"order", "invoice"}]

    named = [item for item in items if item.evidence.get("correlation_id") in known]

    assert len(named) > len(items) / 2
    opened = {entry.subject for item in named for entry in books.loop.ledger.audit_of(item.evidence["correlation_id"])}
    assert {item.fingerprint for item in named} <= opened


def test_master_data_belongs_to_no_deal_and_keeps_its_links_id(books: Books) -> None:
    saved = [
        each
        for plan in books.loop.ledger.plans("run-1")
        if plan.origin.domain in {"customer", "product", "pricing"}
        for each in books.loop.ledger.writes(plan.plan_id)
    ]

    assert saved
    assert all(each.write.request.correlation_id == each.write.link_id for each in saved)


def test_any_number_of_a_deal_tells_its_whole_story(books: Books) -> None:
    deal = books.deal
    assert deal.contract is not None
    assert deal.invoice is not None

    told = [_tell(books, number) for number in (deal.number, deal.contract.number, deal.invoice.number)]

    records = {(row["domain"], row["system"]) for row in told[0]["Records"]}
    assert records >= {
        *(("order", system) for system in ("salesforce", "tryton")),
        *(("contract", system) for system in ("salesforce", "stripe")),
        *(("invoice", system) for system in ("stripe", "tryton")),
        ("entitlement", "salesforce"),
    }
    assert [each["Deal"] for each in told] == [[{"correlation id": deal.opportunity_id}]] * 3
    assert told[0]["Records"] == told[1]["Records"] == told[2]["Records"]
    assert told[0]["Course"] == told[1]["Course"] == told[2]["Course"]


def test_a_story_tells_amounts_and_what_happened_in_order(books: Books) -> None:
    deal = books.deal
    assert deal.invoice is not None

    told = _tell(books, deal.invoice.number)

    amounts = {row["amount"] for row in told["Records"] if row["label"] == deal.invoice.number}
    assert len(amounts) == 1
    assert None not in amounts
    moments = [(row["at"], row["entry"]) for row in told["Course"]]
    assert moments == sorted(moments)
    written = [row["what"] for row in told["Course"] if f"create invoice {deal.invoice.number} in tryton" in row["of"]]
    assert written == ["write.planned", "write.intent", "write.confirmed"]


def test_a_story_names_what_blocks_it_since_when_and_whose_job_it_is(books: Books) -> None:
    item = next(i for i in books.loop.ledger.open_work_items() if i.domain == "invoice" and i.kind != "quarantined")

    blocked = _tell(books, item.label)["Blocked"]

    assert (item.opened_at, item.owner) in {(row["since"], row["whose"]) for row in blocked}


def test_a_story_of_one_customer_is_not_that_of_all_its_deals(books: Books) -> None:
    number = books.deal.customer.profile.number
    assert number is not None

    told = _tell(books, number)

    assert {row["domain"] for row in told["Records"]} == {"customer"}
    assert told["Deal"] == []


def _tell(books: Books, word: str) -> Chronicle:
    return tell(books.loop.topology, books.loop.ledger, word)
