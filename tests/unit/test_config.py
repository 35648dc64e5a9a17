"""The topology: what is wrong in `sync.toml` is said at once, each with what to mend."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from msgspec.structs import replace

from sync_pipelines import config
from sync_pipelines.clock import SystemClock
from sync_pipelines.domains import DOMAINS
from sync_pipelines.engine.topology import Approval, Limit, SystemSettings, Topology
from sync_pipelines.errors import FixConfiguration, RetryLater
from sync_pipelines.sandbox.demo import SECRETS
from sync_pipelines.sandbox.launch import open_sandbox
from sync_pipelines.sandbox.server import serve
from sync_pipelines.systems.registry import Systems

SYNC_TOML = Path(__file__).parents[2] / "sync.toml"
VENDORS = ("SALESFORCE", "STRIPE", "TRYTON")

GOOD = """
[planes]
database_url = "${DATABASE_URL:-}"

[systems.crm]
adapter = "salesforce"
url = "https://${HOST}/crm"
client_secret = "${SECRET}"
calls_per_second = 5

[systems.erp]
adapter = "tryton"
url = "https://erp.example"

[legal_entities.US01]
name = "Acme Inc"
zone = "America/New_York"
currency = "USD"

[people]
product = { name = "Product Operations", due_hours = 48 }

[domains.product]
systems = ["crm", "erp"]
create = ["erp"]
update = ["erp"]
scope = { erp = "is_active" }
exceptions = { default = "product" }
schedule = { cron = "0 2 * * *", zone = "America/New_York" }
[domains.product.owners]
code = "crm"
name = "crm"
description = "crm"
family = "crm"
is_active = "crm"
"""
ENVIRONMENT = {"HOST": "crm.example", "SECRET": "s3cret"}

Load = Callable[..., Topology]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Loads the good topology after replacing some of its text."""

    def loaded(*swaps: tuple[str, str], environment: dict[str, str] = ENVIRONMENT, strict: bool = True) -> Topology:
        text = GOOD
        for old, new in swaps:
            assert old in text
            text = text.replace(old, new, 1)
        path = tmp_path / "sync.toml"
        path.write_text(text)
        return config.load(path, environment=environment, strict=strict)

    return loaded


def refusal(load: Load, *swaps: tuple[str, str]) -> str:
    with pytest.raises(FixConfiguration) as refused:
        load(*swaps)
    return str(refused.value)


def test_variables_are_filled_in_and_defaults_taken(load: Load) -> None:
    topology = load()

    assert topology.systems["crm"].url == "https://crm.example/crm"
    assert topology.planes.database_url == ""
    assert load(environment={**ENVIRONMENT, "DATABASE_URL": "postgresql://db"}).planes.database_url == "postgresql://db"


def test_what_only_an_adapter_needs_becomes_an_option_and_is_never_shown(load: Load) -> None:
    crm = load().systems["crm"]

    assert crm.options == {"client_secret": "s3cret"}
    assert (crm.name, crm.calls_per_second) == ("crm", 5)
    assert "s3cret" not in repr(crm)
    assert "s3cret" not in repr(load())


def test_an_option_that_is_missing_is_asked_for_by_name(load: Load) -> None:
    with pytest.raises(FixConfiguration, match=r"\[systems.erp\] needs 'password' in sync.toml"):
        load().systems["erp"].option("password")


def test_the_state_folder_lies_beside_the_topology_unless_told_otherwise(load: Load, tmp_path: Path) -> None:
    assert load().state == tmp_path / ".sync"
    assert load(environment={**ENVIRONMENT, "SYNC_STATE": "/elsewhere"}).state == Path("/elsewhere")


def test_the_first_system_leads_and_targets_keep_the_order_of_systems(load: Load) -> None:
    product = load(('update = ["erp"]', 'update = ["erp", "crm"]')).domains["product"]

    assert product.leader == "crm"
    assert product.targets == ["crm", "erp"]


def test_each_pair_of_systems_is_told_once_the_leading_one_first(load: Load) -> None:
    assert load().pairs("product") == [("crm", "erp")]


@pytest.mark.parametrize(
    ("added", "problem"),
    [
        ('recreate = ["crm"]', "recreate names 'crm', which is not in create"),
        ("limit_deletes = 0.0", "limit_deletes is a share: more than 0, and at most 1"),
        ("limit_deletes = 1.5", "limit_deletes is a share: more than 0, and at most 1"),
        ('clears = ["colour"]', "clears names 'colour', which is no field of it"),
        ('clears = ["code"]', "clears names 'code', by which records are known"),
        ('clears = ["name"]', "clears names 'name', which every record must have"),
        ("cut_over = 2026-01-01", "cut_over is for domains of documents: order and invoice"),
    ],
)
def test_what_is_to_become_of_deletes_emptied_fields_and_earlier_documents_has_to_make_sense(
    load: Load, added: str, problem: str
) -> None:
    assert f"[domains.product] {problem}" in refusal(load, ('update = ["erp"]', f'update = ["erp"]\n{added}'))


def test_an_exception_goes_to_the_owner_of_its_kind_or_to_the_default(load: Load) -> None:
    people = ('product = { name = "Product Operations", due_hours = 48 }', 'a = { name = "A" }\nb = { name = "B" }')
    product = load(people, ('{ default = "product" }', '{ default = "a", refused = "b" }')).domains["product"]

    assert [product.owner_of_exceptions(kind) for kind in ("refused", "missing")] == ["b", "a"]


@pytest.mark.parametrize(
    ("swap", "complaint"),
    [
        (('name = "crm"\n', ""), "[domains.product] field 'name' has no owner under owners"),
        (('family = "crm"', 'family = "crm"\ncolour = "crm"'),
         "[domains.product] owners names 'colour', which is no field of it"),
        (('family = "crm"', 'family = "sap"'),
         "[domains.product] 'family' is owned by 'sap', which does not hold the domain"),
        (('{ erp = "is_active" }', '{ erp = "active" }'),
         "[domains.product] the condition 'active' names 'active', which is no field of it"),
        (('create = ["erp"]', 'create = ["erp"]\ncreate_when = "code = "'),
         "[domains.product] the condition 'code = ' is not valid SQL"),
        (('create = ["erp"]', 'create = ["erp"]\ncreate_when = "code = $$A"'),
         "[domains.product] the condition 'code = $$A' is not valid SQL"),
        (('systems = ["crm", "erp"]', 'systems = ["crm", "erp", "sap"]'),
         "[domains.product] names the system 'sap', which no [systems.sap] provides"),
        (('create = ["erp"]', 'create = ["sap"]'), "[domains.product] may write 'sap', which does not hold the domain"),
        (('update = ["erp"]', 'update = ["sap"]'), "[domains.product] may write 'sap', which does not hold the domain"),
        (('{ erp = "is_active" }', '{ sap = "is_active" }'),
         "[domains.product] scope names 'sap', which does not hold the domain"),
        (('{ default = "product" }', '{ refused = "product" }'), "[domains.product] exceptions needs a default owner"),
        (('{ default = "product" }', '{ default = "nobody" }'),
         "[domains.product] exceptions go to 'nobody', who is not in [people]"),
        (('cron = "0 2 * * *", zone = "America/New_York"', 'cron = "0 2 * * *", zone = "Mars/Olympus"'),
         "[domains.product] schedule zone 'Mars/Olympus' is not a time zone"),
        (('zone = "America/New_York"\ncurrency', 'zone = "../etc"\ncurrency'),
         "[legal_entities.US01] zone '../etc' is not a time zone"),
        (("calls_per_second = 5", 'maintenance = [{ opens = "22:00", closes = "02:00", zone = "Mars/Olympus" }]'),
         "[systems.crm] maintenance zone 'Mars/Olympus' is not a time zone"),
        (("calls_per_second = 5", 'exceptions = "nobody"'),
         "[systems.crm] exceptions go to 'nobody', who is not in [people]"),
        (("[domains.product]\n", "[domains.gadget]\n"), "[domains.gadget] is not one of customer, product, pricing"),
        (('systems = ["crm", "erp"]', "systems = []"), "'code' is owned by 'crm', which does not hold the domain"),
    ],
)  # fmt: skip
def test_each_mistake_is_refused_and_says_what_to_mend(load: Load, swap: tuple[str, str], complaint: str) -> None:
    if "[domains.gadget]" in complaint:
        told = refusal(load, swap, ("[domains.product.owners]", "[domains.gadget.owners]"))
    else:
        told = refusal(load, swap)

    assert complaint in told


POLICY = """
[domains.product.policy]
approval = { team = "product", when = "operation <> 'update' AND family = 'A'" }
limit = { records = 10, documents = 5, deletes = 0, amount = { USD = 100 } }
limit_per_day = { records = 20, team = "product" }
[domains.product.owners]
"""
MEMBERS = ("due_hours = 48 }", 'due_hours = 48, members = ["ann", "bob"] }')


def test_a_policy_is_read_and_is_part_of_the_version_of_the_settings(load: Load) -> None:
    product = load(("[domains.product.owners]\n", POLICY), MEMBERS).domains["product"]

    assert product.policy.approval == Approval("product", "operation <> 'update' AND family = 'A'")
    assert product.policy.per_plan == Limit(10, 5, 0, {"USD": 100})
    assert (product.limit_team, load().domains["product"].policy.per_plan.records) == ("product", 10_000)
    assert (
        product.version
        != load(("[domains.product.owners]\n", POLICY.replace("10,", "11,")), MEMBERS).domains["product"].version
    )


@pytest.mark.parametrize(
    ("swap", "complaint"),
    [
        (("documents = 5", "docs = 5"), "unknown field `docs`"),
        (("approval = {", "approvals = {"), "unknown field `approvals`"),
        (('team = "product", when', 'team = "board", when'),
         "[domains.product] policy.approval names the team 'board', who is not in [people]"),
        (('20, team = "product"', '20, team = "board"'),
         "[domains.product] policy.limit_per_day names the team 'board', who is not in [people]"),
        (("family = 'A'", "colour = 'A'"), "names 'colour', which is no field of it"),
        (("family = 'A'", "family = "), "is not valid SQL"),
        (("'update'", "'updat'"), "compares operation with 'updat', which is none"),
        (("family = 'A'", "currency IN ('USD', 'USX')"), "compares currency with 'USX', which is none"),
        (("USD = 100", "USX = 100"), "policy.limit amount names 'USX', which is no ISO 4217 code"),
        (("USD = 100", "USD = -1"), "policy.limit USD is below 0"),
        (("deletes = 0", "deletes = -1"), "policy.limit deletes is below 0"),
    ],
)  # fmt: skip
def test_each_mistake_in_a_policy_is_refused(load: Load, swap: tuple[str, str], complaint: str) -> None:
    assert swap[0] in POLICY

    told = refusal(load, ("[domains.product.owners]\n", POLICY.replace(*swap)), MEMBERS)

    assert complaint in told


def test_a_team_without_members_approves_nothing(load: Load) -> None:
    told = refusal(load, ("[domains.product.owners]\n", POLICY))

    assert "policy.approval names the team 'product', which has no members: nobody could approve" in told


def test_a_person_is_known_under_all_her_names_and_a_name_is_one_persons(load: Load) -> None:
    accounts = '[accounts]\nann = ["Ann  Keller", "005A"]\nbob = ["{}"]\n\n[people]'
    topology = load(("[people]", accounts.format("Bob B")), MEMBERS)

    assert [topology.person(name) for name in ("ANN keller", "005a", "ann", "Cleo")] == ["ann", "ann", "ann", "cleo"]
    assert [topology.belongs(name, "product") for name in ("ann keller", "bob", "cleo")] == [True, True, False]
    assert "[accounts] 'ann keller' belongs to ann and to bob" in refusal(
        load, ("[people]", accounts.format("ann keller"))
    )


def test_all_mistakes_are_told_at_once(load: Load) -> None:
    told = refusal(load, ('name = "crm"\n', ""), ('family = "crm"', 'family = "sap"'), ("${HOST}", "${NOWHERE}"))

    assert told.startswith("sync.toml can't be used:\n")
    assert len(told.splitlines()) == 4


def test_two_owners_for_one_field_are_no_valid_toml(load: Load) -> None:
    told = refusal(load, ('family = "crm"', 'family = "crm"\nfamily = "erp"'))

    assert told.startswith("sync.toml is not valid TOML: ")


def test_a_field_has_one_owner_and_not_a_list_of_them(load: Load) -> None:
    told = refusal(load, ('family = "crm"', 'family = ["crm", "erp"]'))

    assert "domains" in told
    assert "Expected `str`, got `array`" in told


@pytest.mark.parametrize(
    ("swap", "complaint"),
    [
        (("[planes]", "[plains]"), "missing required field `planes`"),
        (('update = ["erp"]', 'updates = ["erp"]'), "unknown field `updates`"),
        (('adapter = "tryton"\n', ""), "missing required field `adapter`"),
        (("calls_per_second = 5", 'calls_per_second = "many"'), "Expected `float`, got `str`"),
        (("due_hours = 48", 'due_hours = "soon"'), "Expected `int`, got `str`"),
        (('[systems.erp]\nadapter = "tryton"\nurl = "https://erp.example"', "[systems]\nerp = 7"),
         "[systems.erp] is not a table"),
    ],
)  # fmt: skip
def test_a_value_of_another_shape_is_refused_with_its_place(load: Load, swap: tuple[str, str], complaint: str) -> None:
    assert complaint in refusal(load, swap)


WINDOW = 'maintenance = [{ opens = "22:00", closes = "02:00", zone = "UTC", days = ["sat"] }]'


@pytest.mark.parametrize(
    ("old", "new"), [('"22:00"', '"24:00"'), ('"02:00"', '"2:00"'), ('"sat"', '"saturday"'), ("opens", "starts")]
)
def test_a_window_of_another_form_is_refused_with_its_place(load: Load, old: str, new: str) -> None:
    assert load(("calls_per_second = 5", WINDOW)).systems["crm"].maintenance[0].days == ["sat"]

    assert "maintenance" in refusal(load, ("calls_per_second = 5", WINDOW.replace(old, new)))


def test_an_outage_belongs_to_whom_the_system_names_or_else_to_its_first_domain(load: Load) -> None:
    named = ("calls_per_second = 5", 'exceptions = "operations"')
    people = ("[people]\n", '[people]\noperations = { name = "Operations" }\n')

    assert load().owner_of_outages("crm") == "product"
    assert load(named, people).owner_of_outages("crm") == "operations"


def test_variables_that_are_not_set_are_told_by_name_and_without_strictness_left_empty(load: Load) -> None:
    with pytest.raises(FixConfiguration) as refused:
        load(environment={"HOST": "crm.example"})

    assert "environment variable SECRET is not set" in str(refused.value)
    assert "HOST" not in str(refused.value)
    assert load(environment={}, strict=False).systems["crm"].options == {"client_secret": ""}


def test_without_strictness_every_other_mistake_is_still_refused(load: Load) -> None:
    with pytest.raises(FixConfiguration, match="no owner"):
        load(('name = "crm"\n', ""), environment={}, strict=False)


def test_a_topology_that_is_not_there_says_where_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(FixConfiguration, match=r"no topology at .*: copy sync.toml from the repository"):
        config.load(tmp_path / "sync.toml")


def test_a_topology_that_extends_another_joins_tables_and_replaces_all_else(load: Load, tmp_path: Path) -> None:
    load()
    over = tmp_path / "test.toml"
    over.write_text(
        'extends = "sync.toml"\n[systems.crm]\nurl = "https://test"\n[domains.product]\ncreate = []\n'
        '[systems.shop]\nadapter = "stripe"\nurl = "https://shop"\n'
    )

    topology = config.load(over, environment=ENVIRONMENT)

    assert list(topology.systems) == ["crm", "erp", "shop"]
    assert (topology.systems["crm"].url, topology.systems["crm"].calls_per_second) == ("https://test", 5)
    assert (topology.domains["product"].create, topology.domains["product"].update) == ([], ["erp"])
    assert topology.domains["product"].owners["code"] == "crm"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('extends = "here.toml"', "extends itself"),
        ('extends = "gone.toml"', "no topology at"),
        ("extends = 1", "give the name"),
    ],
)
def test_what_can_not_be_extended_is_told(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "here.toml").write_text(text)

    with pytest.raises(FixConfiguration, match=told):
        config.load(tmp_path / "here.toml", environment={})


def test_the_topology_of_all_systems_has_every_adapter_that_is_shipped() -> None:
    topology = config.load(SYNC_TOML.with_name("sync.all.toml"), strict=False)

    shipped = {point.name for point in entry_points(group="sync_pipelines.systems")}
    assert {each.adapter for each in topology.systems.values()} == shipped


def test_an_adapter_that_nobody_provides_is_told_with_those_that_are_there() -> None:
    systems = Systems({"sap": SystemSettings("sap", "sap", "https://sap.example")}, clock=SystemClock())

    with pytest.raises(FixConfiguration) as refused:
        _ = systems["sap"]

    assert "[systems.sap] wants the adapter 'sap', which nobody provides" in str(refused.value)
    assert "salesforce, stripe, tryton" in str(refused.value)


def test_a_system_is_opened_when_it_is_first_needed_and_only_once() -> None:
    settings = SystemSettings("billing", "stripe", "http://127.0.0.1:9", options={"api_key": "sk_test_sandbox"})
    systems = Systems({"billing": settings}, clock=SystemClock())
    before = dict(systems.opened())

    assert before == {}
    assert systems["billing"] is systems["billing"]
    assert list(systems) == ["billing"]


@pytest.mark.parametrize(
    ("name", "object"), [("salesforce", "Account"), ("stripe", "customers"), ("tryton", "party.party")]
)
def test_every_system_takes_its_turns_where_all_processes_take_theirs(name: str, object: str) -> None:
    taken = []

    def lease(system: str, count: int, every: timedelta, now: datetime) -> datetime:
        taken.append((system, count, every))
        raise RetryLater("enough is known")

    with serve(open_sandbox(name)) as server:
        urls = {f"{each}_URL": f"{server.url}/erp" if each == "TRYTON" else server.url for each in VENDORS}
        declared = config.load(SYNC_TOML, environment={**SECRETS, **urls}).systems[name]
        systems = Systems({name: replace(declared, calls_per_second=20, attempts=1)}, clock=SystemClock(), lease=lease)
        with pytest.raises(RetryLater, match="enough is known"):
            list(systems[name].read(object, {"id": "VARCHAR"}, None))

    assert taken == [(name, 10, timedelta(seconds=0.05))]


def test_the_topology_that_we_ship_is_good_and_names_all_domains() -> None:
    topology = config.load(SYNC_TOML, environment={}, strict=False)

    assert list(topology.domains) == list(DOMAINS)
