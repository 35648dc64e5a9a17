"""The whole loop in one process over the stand-ins for the CRM and the billing platform, and everything that
may go wrong on its way. The ERP has a test of its own: `test_demo`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from msgspec.structs import replace as changed
from sqlalchemy import delete, select, update
from witness import Record, Records, SalesforceRecords, StripeRecords, normal, salesforce_client, stripe_client

from sync_pipelines import approval, config
from sync_pipelines.approval import Opinion
from sync_pipelines.course import course, walk
from sync_pipelines.engine.apply import DRIFTED
from sync_pipelines.engine.outcome import Result
from sync_pipelines.engine.port import Page, State
from sync_pipelines.engine.topology import Approval, Limit, Person, Planes, Policy, Topology, Window
from sync_pipelines.errors import FixConfiguration, MalformedPage, RetryLater, Stop
from sync_pipelines.ledger import tables
from sync_pipelines.ledger.embedded import Embedded
from sync_pipelines.loop import Loop
from sync_pipelines.reach import OUTAGES
from sync_pipelines.sandbox import company, salesforce, stripe
from sync_pipelines.sandbox.app import Sandbox
from sync_pipelines.sandbox.demo import SECRETS
from sync_pipelines.sandbox.faults import Rule
from sync_pipelines.sandbox.launch import open_sandbox
from sync_pipelines.sandbox.server import Running, serve
from sync_pipelines.systems.registry import Systems

SYNC_TOML = Path(__file__).parents[2] / "sync.toml"
KEYS = {
    "customer": ("number",),
    "product": ("code",),
    "pricing": ("product", "currency"),
    "contract": ("number",),
    "entitlement": ("number",),
}
PLACES = [(domain, system) for domain in KEYS for system in ("salesforce", "stripe")]


class PatientClock:
    """The machine's time, but waiting takes none of it."""

    def __init__(self) -> None:
        self.waited = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.waited

    def sleep(self, seconds: float) -> None:
        self.waited += timedelta(seconds=seconds)


@dataclass
class World:
    """A company in a CRM and a billing platform, served on loopback, and a topology that knows only these."""

    made: company.Company
    sandboxes: Mapping[str, Sandbox]
    servers: Mapping[str, Running]
    topology: Topology

    @classmethod
    @contextmanager
    def open(cls, made: company.Company, postgres: Embedded, state: Path) -> Iterator[World]:
        sandboxes = {name: open_sandbox(name) for name in ("salesforce", "stripe")}
        salesforce.seed(sandboxes["salesforce"].store, made.salesforce)
        stripe.seed(sandboxes["stripe"].store, made.stripe)
        database = f"loop_{uuid4().hex[:12]}"
        postgres.ensure(database)
        with ExitStack() as stack:
            stack.callback(postgres.drop, database)
            servers = {name: stack.enter_context(serve(sandbox)) for name, sandbox in sandboxes.items()}
            urls = {f"{name.upper()}_URL": server.url for name, server in servers.items()}
            yield cls(made, sandboxes, servers, _without_erp(urls, postgres.url(database), state))

    def run(self, *domains: str, meddle: Callable[[Loop], None] = lambda loop: None, mode: str = "full") -> Ran:
        """One run over some domains, or all; `meddle` may change the loop before it starts."""
        before, run_id = self.writes, f"run-{uuid4().hex[:8]}"
        with Loop.open(self.topology, run_id=run_id, mode=mode) as loop:  # type: ignore[arg-type]
            meddle(loop)
            steps = list(walk(course(loop, list(domains or self.topology.domains))))
            summary = loop.summary()
        return Ran(run_id, summary, {told.step.subject: told.outcome for told in steps}, self.writes - before)

    @property
    def writes(self) -> Counter[str]:
        """What the stand-ins have stored since they are up."""
        return Counter({name: sandbox.store.writes for name, sandbox in self.sandboxes.items()})

    def read(self) -> dict[str, Records]:
        """Both systems through their vendors' own clients."""
        with salesforce_client(self.servers["salesforce"].url, SECRETS) as crm:
            found = {"salesforce": SalesforceRecords(crm).read()}
        billing = stripe_client(self.servers["stripe"].url, SECRETS)
        return found | {"stripe": StripeRecords(billing).read()}

    @property
    def truth(self) -> dict[str, list[Record]]:
        return {name: table.to_pylist() for name, table in self.made.truth.items()}


@dataclass(frozen=True)
class Ran:
    """A run, and how many documents of each system it changed."""

    run_id: str
    summary: Mapping[str, Any]
    told: Mapping[str, Any]
    wrote: Counter[str]


def _without_erp(urls: Mapping[str, str], database_url: str, state: Path) -> Topology:
    declared = config.load(
        SYNC_TOML, environment={**SECRETS, **urls, "TRYTON_URL": "http://127.0.0.1:9/erp"}, state=state
    )
    systems = {n: changed(s, calls_per_second=5000) for n, s in declared.systems.items() if n != "tryton"}
    domains = {
        name: changed(
            domain,
            **{each: [s for s in getattr(domain, each) if s in systems] for each in ("systems", "create", "update")},
            scope={s: c for s, c in domain.scope.items() if s in systems},
        )
        for name, domain in declared.domains.items()
        if name in KEYS
    }
    return changed(declared, systems=systems, domains=domains, planes=Planes(database_url=database_url))


@pytest.fixture(scope="module")
def made() -> company.Company:
    return company.generate(1)


@pytest.fixture(scope="module")
def world(made: company.Company, postgres: Embedded, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World.open(made, postgres, tmp_path_factory.mktemp("state")) as opened:
        yield opened


@pytest.fixture(scope="module")
def first(world: World) -> Ran:
    return world.run()


@pytest.fixture(scope="module")
def seen(world: World, first: Ran) -> dict[str, Records]:
    """The systems after the first run."""
    return world.read()


@pytest.fixture(scope="module")
def second(world: World, seen: dict[str, Records]) -> Ran:
    return world.run()


def _key(domain: str, row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in KEYS[domain])


# What a run comes to


def test_the_first_run_writes_what_is_missing_and_every_write_is_confirmed(first: Ran) -> None:
    writes = first.summary["writes"]

    assert writes["confirmed"] > 100
    assert writes["refused"] == writes["in_doubt"] == writes["failed"] == 0
    assert first.wrote["stripe"] > 0
    assert first.wrote["salesforce"] > 0


@pytest.mark.parametrize(("domain", "system"), PLACES)
def test_after_the_first_run_both_systems_say_what_is_true(
    world: World, seen: dict[str, Records], domain: str, system: str
) -> None:
    held = {_key(domain, row): row for row in seen[system][domain].values()}
    mendable = [row for row in world.truth[domain] if row["expected"] != "exception"]
    expected = [row for row in mendable if row.get("is_active", True) or row[f"{system}_id"]]

    wrong = [
        (row["key"], name, value)
        for row in expected
        for name, value in held[_key(domain, row)].items()
        if row[name] is not None and normal(name, value) != normal(name, row[name])
    ]

    assert wrong == []


def test_a_record_is_nowhere_twice(seen: dict[str, Records]) -> None:
    counted = Counter(
        (system, domain, *_key(domain, row))
        for domain, system in PLACES
        for row in seen[system][domain].values()
        if None not in _key(domain, row)
    )

    assert [each for each, count in counted.items() if count > 1] == []


def test_a_second_run_plans_and_writes_nothing(second: Ran) -> None:
    plans = {subject: told.writes for subject, told in second.told.items() if "/plan/" in subject}

    assert set(plans.values()) == {0}
    assert set(second.summary["writes"].values()) == {0}
    assert second.wrote.total() == 0


def test_a_second_run_finds_the_same_and_opens_no_exception_anew(first: Ran, second: Ran) -> None:
    reconciled = [told for subject, told in second.told.items() if subject.endswith("/reconciliation")]

    assert second.summary["findings"] == first.summary["findings"]
    assert second.summary["exceptions"] == first.summary["exceptions"]
    assert {(each.exceptions_opened, each.exceptions_resolved) for each in reconciled} == {(0, 0)}


def test_there_are_findings_only_where_a_person_is_needed(world: World, first: Ran) -> None:
    planted = {
        domain
        for domain in KEYS
        for defect in world.truth["defects"]
        if defect["domain"] == domain and not defect["mendable"] and set(defect["systems"]) - {"tryton"}
    }

    assert set(first.summary["findings"]) == planted


def test_every_exception_has_an_owner_a_reason_and_a_due_time(world: World, session: Loop) -> None:
    items = session.ledger.open_work_items()

    assert items
    assert {item.owner for item in items} <= set(world.topology.people)
    assert all(item.reason and item.label and item.due_at > item.opened_at for item in items)


def test_every_step_has_checks_and_none_passes_for_want_of_records(first: Ran) -> None:
    checks = [check for told in first.told.values() for check in getattr(told, "checks", ())]

    assert {c.result for c in checks if c.name == "complete"} == {Result.PASSED}
    assert first.summary["checks"]["not_checked"] == 0


def test_every_system_is_called_at_the_pace_of_all_processes(session: Loop) -> None:
    with session.ledger.engine.connect() as connection:
        paced = set(connection.scalars(select(tables.paces.c.system)))

    assert paced == set(session.topology.systems)


def test_the_audit_trail_is_whole(session: Loop) -> None:
    assert session.ledger.verify_audit() is None


# Bad input gets a clear error, and nothing is lost


@pytest.fixture(scope="module")
def session(world: World, second: Ran) -> Iterator[Loop]:
    """A loop on the agreeing company, for tests that change it and mend it again."""
    with Loop.open(world.topology, run_id="session", mode="full") as loop:
        yield loop


Meeting = Callable[..., Loop]


@pytest.fixture
def meeting(world: World, session: Loop) -> Iterator[Meeting]:
    """The session with other system settings, as another process would have it; outages are forgotten after a test."""

    def met(system: str = "salesforce", **settings: Any) -> Loop:
        declared = world.topology.systems
        known = {**declared, system: changed(declared[system], **settings)}
        topology = changed(world.topology, systems=known)
        systems = Systems(known, clock=PatientClock())
        return replace(session, topology=topology, systems=systems, run_id=f"run-{uuid4().hex[:8]}")

    yield met
    with session.ledger.engine.begin() as connection:
        connection.execute(delete(tables.circuits))
    session.reach.tell_outages()


def _log(loop: Loop) -> int:
    return int(loop.lake.row("SELECT count(*) FROM lake.record_log")[0])


@pytest.mark.parametrize(
    ("system", "options", "subject"),
    [
        ("salesforce", {"client_id": "sandbox-client", "client_secret": "wrong-one"}, "Account"),
        ("stripe", {"api_key": "sk_test_wrong-one"}, "customers"),
    ],
)
def test_wrong_credentials_are_a_matter_of_configuration_and_stay_secret(
    meeting: Meeting, system: str, options: dict[str, str], subject: str
) -> None:
    loop = meeting(system, options=options)
    before = _log(loop)

    with pytest.raises(FixConfiguration) as refused:
        loop.extract(system, subject)

    assert system in str(refused.value).lower()
    assert "wrong-one" not in str(refused.value)
    assert _log(loop) == before


def test_a_system_that_is_down_asks_for_patience_and_keeps_the_cursor(meeting: Meeting) -> None:
    with serve(open_sandbox("salesforce")) as gone:
        url = gone.url
    loop = meeting("salesforce", url=url)
    cursor = loop.lake.cursor("salesforce", "Account")

    with pytest.raises(RetryLater):
        loop.extract("salesforce", "Account")

    assert loop.lake.cursor("salesforce", "Account") == cursor


def test_a_page_that_is_cut_short_is_not_kept(world: World, meeting: Meeting) -> None:
    loop = meeting()
    loop.systems["salesforce"].identity()
    before, cursor = _log(loop), loop.lake.cursor("salesforce", "Account")
    faults = world.sandboxes["salesforce"].faults
    faults.add(Rule(route="GET /services/data/.*/query", kind="truncate_body"))

    try:
        with pytest.raises((MalformedPage, RetryLater)):
            loop.extract("salesforce", "Account")
    finally:
        faults.clear()

    assert (_log(loop), loop.lake.cursor("salesforce", "Account")) == (before, cursor)


def test_another_organisation_behind_the_credentials_stops_before_anything_is_read(meeting: Meeting) -> None:
    other = open_sandbox("salesforce")
    other.vendor.admin("organization", {"id": "00D000000000777"})
    with serve(other) as stranger:
        loop = meeting("salesforce", url=stranger.url)

        with pytest.raises(Stop, match="salesforce now answers as '00D000000000777"):
            loop.extract("salesforce", "Account")
        with pytest.raises(Stop):
            loop.extract("salesforce", "Account")

    assert not any("Account" in logged.path for logged in other.requests)


def test_a_write_mapping_that_is_missing_is_asked_for_by_name(world: World, session: Loop) -> None:
    product = changed(world.topology.domains["product"], update=["salesforce", "stripe"])
    loop = replace(session, topology=changed(world.topology, domains={**world.topology.domains, "product": product}))

    with pytest.raises(FixConfiguration, match=r"add mappings/salesforce/product\.write\.sql"):
        loop.plan("product", "salesforce")


def test_a_domain_is_applied_only_after_it_was_planned(meeting: Meeting) -> None:
    with pytest.raises(Stop, match="this run has no plan of product for stripe"):
        meeting().apply("product", "stripe")


@pytest.fixture
def renamed(world: World, meeting: Meeting) -> Iterator[Loop]:
    """A product got another name in the CRM, and what follows from it is planned; afterwards all is as it was."""
    row = next(r for r in world.truth["product"] if r["expected"] == "agrees" and r["is_active"])
    with salesforce_client(world.servers["salesforce"].url, SECRETS) as crm:
        crm.Product2.update(row["salesforce_id"], {"Name": f"{row['name']} {uuid4().hex[:6]}"})
        loop = meeting()
        _planned(loop)
        yield loop
        crm.Product2.update(row["salesforce_id"], {"Name": row["name"]})
    last = meeting()
    _planned(last)
    last.apply("product", "stripe")


def _planned(loop: Loop) -> None:
    for system, name in (("salesforce", "Product2"), ("stripe", "products")):
        loop.extract(system, name)
        loop.conform("product", system)
    loop.match("product")
    loop.plan("product", "stripe")


def test_a_plan_that_is_applied_twice_is_written_once(world: World, renamed: Loop) -> None:
    once = renamed.apply("product", "stripe")
    before = world.writes
    twice = renamed.apply("product", "stripe")

    assert once.states == twice.states == {"confirmed": 1}
    assert world.writes == before


def test_a_plan_that_was_edited_after_it_was_saved_is_not_sent(world: World, renamed: Loop) -> None:
    plan = renamed.ledger.latest_plan("product", "stripe", run_id=renamed.run_id)
    with renamed.ledger.engine.begin() as connection:
        connection.execute(
            update(tables.writes).where(tables.writes.c.plan_id == plan.plan_id).values(body={"name": "Mine"})
        )
    before = world.writes

    with pytest.raises(Stop, match="was changed after it was saved"):
        renamed.apply("product", "stripe")

    assert world.writes == before


def _under(loop: Loop, **policy: Any) -> Loop:
    """The loop with another policy for products, and the people whom it asks."""
    people = {**loop.topology.people, "controller": Person("Controller", members=["ann", "bob"])}
    product = changed(loop.topology.domains["product"], policy=Policy(**policy))
    return replace(loop, topology=changed(loop.topology, people=people, domains={"product": product}))


def test_planning_writes_nothing_anywhere_and_says_what_waits_for_whom(world: World, renamed: Loop) -> None:
    loop = _under(renamed, approval=Approval("controller", "operation = 'update' AND is_active"))
    before = world.writes

    planned = loop.plan("product", "stripe")
    (write,) = loop.ledger.writes(planned.plan_id)

    assert world.writes == before
    assert (planned.waiting, planned.waits, write.write.approved_by_team) == (1, "", "controller")


def test_what_needs_approval_is_sent_only_after_it_was_given(world: World, renamed: Loop) -> None:
    loop = _under(renamed, approval=Approval("controller"))
    plan_id, before = loop.plan("product", "stripe").plan_id, world.writes

    left = loop.apply("product", "stripe")
    unsent, found = world.writes, loop.reconcile("product")
    (item,) = [i for i in loop.ledger.open_work_items(domain="product") if i.owner == "controller"]
    approval.approve(loop.ledger, loop.topology, plan_id, Opinion("ann", "fits", loop.clock.now()))
    sent = loop.apply("product", "stripe")
    loop.reconcile("product")

    assert (left.states, left.waiting, unsent) == ({"planned": 1}, 1, before)
    assert all(check.result is Result.PASSED for check in left.checks)
    assert found.findings["differs"] >= 1
    assert item.reason.startswith("waits for approval by Controller since 20")
    assert (sent.states, sent.waiting) == ({"confirmed": 1}, 0)
    assert not [i for i in loop.ledger.open_work_items(domain="product") if i.owner == "controller"]


def test_a_plan_past_its_limit_waits_as_a_whole_and_raises_one_exception(world: World, renamed: Loop) -> None:
    loop = _under(renamed, limit=Limit(records=0, team="controller"))
    before = world.writes

    planned = loop.plan("product", "stripe")
    left = loop.apply("product", "stripe")
    loop.reconcile("product")
    (item,) = [i for i in loop.ledger.open_work_items(domain="product") if i.kind == "limit"]
    unsent = world.writes
    approval.approve(loop.ledger, loop.topology, planned.plan_id, Opinion("bob", "a rename", loop.clock.now()))

    assert [(c.name, c.result, c.blocking) for c in planned.checks] == [("within_limits", Result.FAILED, False)]
    assert (left.waiting, left.waits, unsent) == (1, "writes 1, at most 0 in one plan", before)
    assert (item.owner, item.label) == ("controller", "product for stripe")
    assert item.reason == "the plan is past a limit and waits as a whole: writes 1, at most 0 in one plan"
    assert loop.apply("product", "stripe").states == {"confirmed": 1}


def test_a_plan_made_under_another_policy_is_not_sent(world: World, renamed: Loop) -> None:
    renamed.plan("product", "stripe")
    stricter = _under(renamed, approval=Approval("controller"))
    before = world.writes

    with pytest.raises(Stop, match=r"made under other settings of \[domains.product\] than those of today"):
        stricter.apply("product", "stripe")

    assert world.writes == before


ALWAYS = Window(opens="00:00", closes="00:00", zone="Europe/Berlin")


def test_in_a_maintenance_window_writes_queue_and_afterwards_the_same_plan_is_carried_out(
    world: World, renamed: Loop
) -> None:
    systems = {**renamed.topology.systems}
    systems["stripe"] = changed(systems["stripe"], maintenance=[ALWAYS])
    in_window = replace(renamed, topology=changed(renamed.topology, systems=systems))
    before = world.writes

    held = in_window.apply("product", "stripe")
    queued, written = in_window.summary()["queued"], world.writes - before
    drained = renamed.apply("product", "stripe")

    assert (held.states, held.queued[:12]) == ({"planned": 1}, "queued until")
    assert {check.name: check.result for check in held.checks} == {
        "all_confirmed": Result.NOT_CHECKED, "nothing_in_doubt": Result.PASSED,
    }  # fmt: skip
    assert (queued["stripe"]["writes"], written.total()) == (1, 0)
    assert drained.states == {"confirmed": 1}
    assert renamed.summary()["queued"] == {}


def test_a_pause_queues_what_the_next_run_after_it_plans_again_and_sends_once(
    world: World, renamed: Loop, meeting: Meeting
) -> None:
    renamed.ledger.pause("stripe", until=None, by="ann", reason="year-end close")
    before = world.writes
    renamed.apply("product", "stripe")
    renamed.ledger.resume("stripe", by="ann", reason="closed")

    again = meeting()
    _planned(again)

    assert again.apply("product", "stripe").states == {"confirmed": 1}
    assert (world.writes - before)["stripe"] == 1


def test_a_system_that_is_down_leaves_its_domains_out_and_tells_a_person(meeting: Meeting) -> None:
    with serve(open_sandbox("salesforce")) as gone:
        url = gone.url
    loop = meeting("salesforce", url=url)

    list(walk(course(loop, ["product"])))
    summary = loop.summary()

    assert summary["read"]["stripe"] >= 0
    assert {"salesforce/Product2", "product/links", "product/writes/stripe"} <= set(summary["not_run"])
    assert "stripe/products" not in summary["not_run"]
    assert summary["checks"]["not_checked"] > len(summary["not_run"])
    assert summary["report"] is not None
    (item,) = loop.ledger.open_work_items(domain=OUTAGES)
    assert (item.system, item.owner, item.kind) == ("salesforce", "engineering", "unreachable")


def test_a_record_that_changed_after_the_plan_is_refused_and_planned_anew(
    world: World, renamed: Loop, meeting: Meeting
) -> None:
    (write,) = [w.write for w in renamed.ledger.writes(_plan_id(renamed))]
    billing = stripe_client(world.servers["stripe"].url, SECRETS)
    billing.products.update(write.request.record_id, {"name": "Edited by hand"})

    refused = renamed.apply("product", "stripe")
    (left,) = renamed.ledger.writes(_plan_id(renamed))
    again = meeting()
    _planned(again)

    assert refused.states == {"refused": 1}
    assert left.code == DRIFTED
    assert again.apply("product", "stripe").states == {"confirmed": 1}


def _plan_id(loop: Loop) -> str:
    plan = loop.ledger.latest_plan("product", "stripe", run_id=loop.run_id)
    assert plan is not None
    return plan.plan_id


def test_a_reply_that_never_came_is_read_back_and_the_write_is_not_repeated(world: World, renamed: Loop) -> None:
    faults = world.sandboxes["stripe"].faults
    faults.add(Rule(route="POST /v1/products", kind="drop_after_commit", times=1))
    before = world.sandboxes["stripe"].calls["POST /v1/products/<id>"]

    try:
        applied = renamed.apply("product", "stripe")
    finally:
        faults.clear()

    assert applied.states == {"confirmed": 1}
    (write,) = renamed.ledger.writes(_plan_id(renamed))
    assert write.state is State.CONFIRMED
    assert world.sandboxes["stripe"].calls["POST /v1/products/<id>"] - before <= 2


# Interrupted, then run again


@dataclass
class Interrupting:
    """A port that passes everything on, until one of its methods is used: then Ctrl-C, before or after it."""

    real: Any
    method: str
    after: bool
    uses: int = 1

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.real, name)
        if name != self.method:
            return found

        def interrupted(*given: Any, **named: Any) -> Any:
            self.uses -= 1
            if self.uses:
                return found(*given, **named)
            if self.after:
                made = found(*given, **named)
                for _ in made if isinstance(made, Iterator) else ():
                    break
            raise KeyboardInterrupt

        return interrupted


def ledger(method: str, *, after: bool, uses: int = 1) -> Callable[[Loop], None]:
    def meddle(loop: Loop) -> None:
        loop.ledger = Interrupting(loop.ledger, method, after, uses)  # type: ignore[assignment]

    return meddle


def lake(method: str, *, after: bool, uses: int = 1) -> Callable[[Loop], None]:
    def meddle(loop: Loop) -> None:
        loop.lake = Interrupting(loop.lake, method, after, uses)  # type: ignore[assignment]

    return meddle


def system(name: str, method: str, *, after: bool, uses: int = 1) -> Callable[[Loop], None]:
    def meddle(loop: Loop) -> None:
        opened = {each: loop.systems[each] for each in loop.topology.systems}
        loop.systems = {**opened, name: Interrupting(opened[name], method, after, uses)}  # type: ignore[assignment]

    return meddle


INTERRUPTIONS: Sequence[tuple[str, Callable[[Loop], None]]] = [
    ("extract, before a page is stored", system("salesforce", "read", after=True)),
    ("extract, after a page is stored", lake("append_page", after=True)),
    ("extract, between two objects", ledger("save_step", after=True)),
    ("conform, before its table is there", lake("replace", after=False)),
    ("conform, after its table is there", lake("replace", after=True, uses=2)),
    ("match, before the links are kept", ledger("change_links", after=False)),
    ("match, after the links are kept", ledger("change_links", after=True)),
    ("plan, before it is saved", ledger("save_plan", after=False)),
    ("plan, after it is saved", ledger("save_plan", after=True)),
    ("apply, before a call leaves", ledger("record_intents", after=True)),
    ("apply, after the system has committed", system("stripe", "write", after=True)),
    ("apply, after the outcome is known", ledger("record_outcomes", after=True)),
    ("apply, before the links are kept", ledger("change_links", after=False, uses=2)),
    ("apply, before the plan is closed", ledger("close_plan", after=False)),
    ("reconcile, before the findings are kept", lake("keep_findings", after=False)),
    ("reconcile, after the exceptions are opened", ledger("sync_work_items", after=True)),
    ("report", ledger("open_work_items", after=False)),
]
"""Every verb, before and after it has an effect."""


@pytest.fixture(scope="module")
def shaken(made: company.Company, postgres: Embedded, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World.open(made, postgres, tmp_path_factory.mktemp("shaken")) as opened:
        yield opened


def test_a_run_that_is_interrupted_at_every_point_ends_where_an_undisturbed_one_does(
    shaken: World, seen: dict[str, Records], first: Ran, session: Loop
) -> None:
    went_through = [name for name, meddle in INTERRUPTIONS if not _is_interrupted(shaken, meddle)]
    last = shaken.run("customer")
    quiet = shaken.run("customer")

    assert went_through == []
    assert quiet.wrote.total() == 0
    assert _plain(shaken.read(), "customer") == _plain(seen, "customer")
    assert last.summary["findings"]["customer"] == first.summary["findings"]["customer"]
    with Loop.open(shaken.topology, run_id="looking") as loop:
        assert _exceptions(loop) == _exceptions(session)
        assert loop.ledger.verify_audit() is None
        assert loop.ledger.in_doubt("stripe") == []
        assert {run.state for run in loop.ledger.latest_runs(most=50)} == {"failed", "finished", "running"}


def _is_interrupted(world: World, meddle: Callable[[Loop], None]) -> bool:
    try:
        world.run("customer", meddle=meddle, mode="incremental")
    except KeyboardInterrupt:
        return True
    return False


def _plain(found: dict[str, Records], domain: str) -> dict[str, list[str]]:
    """The records of a domain by system, without the ids that they were given."""
    return {name: sorted(str(row) for row in records[domain].values()) for name, records in found.items()}


def _exceptions(loop: Loop) -> set[tuple[str, str, str, str]]:
    items = loop.ledger.open_work_items(domain="customer")
    return {(item.kind, item.system, item.label, item.reason) for item in items}


# What its owner has emptied, and what no longer arrives


def without(field: str) -> Callable[[Loop], None]:
    """A CRM that has dropped a field: it comes in no record any more, and all are read again."""

    def meddle(loop: Loop) -> None:
        crm = loop.systems["salesforce"]
        read = crm.read

        def dropped(*asked: Any) -> Iterator[Page]:
            for page in read(*asked):
                kept = [{k: v for k, v in json.loads(each).items() if k != field} for each in page.payloads]
                yield replace(page, payloads=[json.dumps(each).encode() for each in kept])

        crm.read = dropped  # type: ignore[method-assign]
        loop.clock = PatientClock()
        loop.clock.sleep(timedelta(days=8).total_seconds())

    return meddle


def test_what_its_owner_has_emptied_is_cleared_and_a_field_that_vanished_clears_nothing(
    made: company.Company, postgres: Embedded, tmp_path: Path
) -> None:
    with World.open(made, postgres, tmp_path) as world:
        customer = changed(world.topology.domains["customer"], clears=["phone"])
        world.topology = changed(world.topology, domains={**world.topology.domains, "customer": customer})
        world.run("customer")
        before = _phones(world)
        with salesforce_client(world.servers["salesforce"].url, SECRETS) as crm:
            account_id = next(r["salesforce_id"] for r in world.truth["customer"] if before.get(r["number"]))
            crm.Account.update(account_id, {"Phone": None})
        cleared = world.run("customer")
        after = _phones(world)
        vanished = world.run("customer", meddle=without("Phone"))

        lost = next(c for c in vanished.told["salesforce/Account"].checks if c.name == "fits_declared_shape")
        assert sum(before[number] != phone for number, phone in after.items()) == cleared.wrote["stripe"] == 1
        assert cleared.summary["findings"].get("customer", {}).get("differs", 0) == 0
        assert (lost.result, lost.sample) == (Result.FAILED, ({"field": "Phone"},))
        assert [c.result for c in vanished.told["customer/plan/stripe"].checks] == [Result.PASSED, Result.FAILED]
        assert vanished.wrote.total() == 0
        assert _phones(world) == after


def _phones(world: World) -> dict[str, str]:
    """The phone numbers of those who have one in the billing platform, by customer number."""
    held = StripeRecords(stripe_client(world.servers["stripe"].url, SECRETS)).read()["customer"].values()
    return {row["number"]: row["phone"] for row in held if row["number"]}
