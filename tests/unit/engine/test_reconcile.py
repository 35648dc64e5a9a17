"""Reconcile: every live record is compared or accounted for, to the cent, once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st
from scene import Row, Scene

from sync_pipelines.engine import proof, reconcile
from sync_pipelines.engine.outcome import Result, Total

PAIR = {"systems": ["crm", "erp"]}
BILLED = {"systems": ["billing", "erp"], "create_when": "status = 'posted'"}


def customer(record_id: str, number: str, **more: Any) -> Row:
    return {"record_id": record_id, "number": number, "name": f"Company {number}", **more}


def invoice(record_id: str, number: str, net: int = 100, **more: Any) -> Row:
    """A posted invoice without tax; `of` is its customer."""
    return {
        "record_id": record_id,
        "number": number,
        "kind": "invoice",
        "legal_entity": "US01",
        "customer": "c",
        "issued_on": date(2026, 3, 1),
        "status": "posted",
        "currency": "EUR",
        "net_minor": net,
        "tax_minor": 0,
        "total_minor": net,
        "lines": f'[{{"product":"A","quantity":"1","amount_minor":{net}}}]',
        **more,
    }


def letter(link_id: str, message: str, *, target: str = "erp", kind: str = "refused", fields: Any = ()) -> Row:
    """A write that came to nothing."""
    told = {"write_id": "w-1", "kind": kind, "code": "locked", "message": message}
    return {"target": target, "link_id": link_id, "fields": list(fields), **told}


Documents = Callable[[list[Row], list[Row]], Scene]


@pytest.fixture
def documents(scene: Callable[..., Scene]) -> Documents:
    """Invoices of billing and of the erp, matched; both know one customer, under ids of their own."""

    def matched(billing: list[Row], erp: list[Row], **declared: Any) -> Scene:
        opened = scene("invoice", **BILLED | declared)
        opened.link("customer-c", domain="customer", billing="c", erp="77")
        opened.hold("billing", *billing)
        opened.hold("erp", *({**row, "customer": "77"} for row in erp))
        opened.match()
        return opened

    return matched


@pytest.fixture
def customers(scene: Callable[..., Scene]) -> Documents:
    """Customers of a crm and an erp, matched."""

    def matched(crm: list[Row], erp: list[Row], **declared: Any) -> Scene:
        opened = scene("customer", **PAIR | declared)
        opened.hold("crm", *crm, fields=["number", "tax_id", "email", "is_active"])
        opened.hold("erp", *erp, fields=["number", "tax_id", "email"])
        opened.match()
        return opened

    return matched


def told(found: list[Row], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in found]


def test_systems_that_agree_have_no_findings(documents: Documents) -> None:
    found = documents([invoice("i1", "N-1"), invoice("i2", "N-2", 5)], [invoice("1", "n-1"), invoice("2", "N-2", 5)])

    assert found.reconcile() == []
    assert found.compared == 2
    assert {c.result for c in found.checks().values()} == {Result.PASSED}
    assert found.items() == []


def test_a_difference_names_the_field_both_values_and_its_signed_share_of_the_totals(documents: Documents) -> None:
    found = documents([invoice("i1", "N-1", 100)], [invoice("1", "N-1", 101)])

    findings = found.reconcile()

    assert {row["field"]: (row["value_a"], row["value_b"]) for row in findings if row["field"] != "lines"} == {
        "net_minor": ("100", "101"),
        "total_minor": ("100", "101"),
    }
    assert {row["kind"] for row in findings} == {"differs"}
    assert sum(row["amount_minor"] or 0 for row in findings) == -1
    assert {told([row], "currency", "legal_entity", "period")[0] for row in findings} == {("EUR", "US01", "2026-03")}


def test_a_difference_within_its_tolerance_is_none(documents: Documents) -> None:
    cents = {"tax_minor": 1, "total_minor": 1}
    found = documents([invoice("i1", "N-1", **bill(20))], [invoice("1", "N-1", **bill(21))])
    fields = tuple(replace(f, tolerance_minor=cents.get(f.name, 0)) for f in found.domain.fields)

    strict = found.reconcile()
    found.domain = replace(found.domain, fields=fields)

    assert {row["field"] for row in strict} == set(cents)
    assert found.reconcile() == []


def bill(tax: int) -> Row:
    return {"tax_minor": tax, "total_minor": 100 + tax}


def test_references_agree_when_they_point_at_the_same_link(documents: Documents) -> None:
    found = documents([invoice("i1", "N-1")], [invoice("1", "N-1")])
    agreeing = found.reconcile()
    found.links = [e for e in found.links if e["record_id"] != "77"]
    found.link("customer-d", domain="customer", erp="77")

    assert agreeing == []
    assert told(found.reconcile(), "field", "value_a", "value_b") == [("customer", "customer-c", "customer-d")]


def test_what_its_owner_has_emptied_differs_where_the_owner_may_clear_it(customers: Documents) -> None:
    found = customers(
        [{"record_id": "a", "number": "C-1", "name": "Acme", "phone": None}],
        [{"record_id": "1", "number": "C-1", "name": "Acme", "phone": "+49 30 1"}],
    )
    agreeing = found.compare()

    (finding,) = found.compare(clearing=["phone"])

    assert agreeing == []
    assert (finding["kind"], finding["field"], finding["is_primary"]) == ("differs", "phone", True)


def test_a_status_that_takes_a_document_out_of_the_totals_carries_its_amount(documents: Documents) -> None:
    found = documents([invoice("i1", "N-1", 100, status="void")], [invoice("1", "N-1", 100)])

    assert told(found.reconcile(), "field", "amount_minor") == [("status", -100)]


def test_a_document_that_is_not_in_the_other_system_is_missing_with_its_amount(documents: Documents) -> None:
    found = documents([invoice("i1", "N-1", 250)], [])

    findings = found.reconcile()

    assert told(findings, "kind", "record_a", "system_b", "record_b", "amount_minor", "reason", "is_primary") == [
        ("missing", "i1", "erp", None, 250, "not in erp", True)
    ]


def test_a_document_that_only_the_other_system_knows_is_unknown_with_a_negative_amount(documents: Documents) -> None:
    found = documents([], [invoice("1", "MAN-1", 70), invoice("2", "MAN-2", 9, status="draft")])

    assert told(found.reconcile(), "kind", "system_b", "record_b", "amount_minor", "reason") == [
        ("unknown", "erp", "1", -70, "not in billing")
    ]


def test_a_record_behind_a_closed_gate_is_not_missing(documents: Documents, customers: Documents) -> None:
    drafts = documents([invoice("i1", "N-1", status="draft")], [])
    abroad = customers([customer("a", "C-1", is_active=True)], [], scope={"erp": "is_active AND name = 'Other'"})

    assert drafts.reconcile() == []
    assert abroad.reconcile() == []


def test_what_a_plan_held_back_is_missing_for_that_reason(documents: Documents) -> None:
    found = documents([invoice("i1", "N-1")], [], create=["erp"])
    found.links = [e for e in found.links if e["record_id"] != "77"]

    assert told(found.reconcile(), "kind", "reason") == [("missing", "its customer is not in erp yet")]


def test_systems_can_be_compared_without_any_plan(documents: Documents) -> None:
    found = documents([invoice("i1", "N-1")], [], create=["erp"])

    assert told(found.compare(), "kind", "reason") == [("missing", "not in erp")]


def test_a_refused_create_is_told_in_the_targets_words(documents: Documents) -> None:
    found = documents([invoice("i1", "N-1", 80)], [], create=["erp"])
    found.dead_letters = [letter(found.link_of("billing", "i1"), "the period is closed")]

    assert told(found.reconcile(), "kind", "amount_minor", "reason", "is_primary") == [
        ("refused", 80, "the period is closed", True)
    ]


def test_what_was_let_go_again_and_is_held_back_by_the_plan_is_told_with_the_plans_reason(documents: Documents) -> None:
    found = documents([invoice("i1", "N-1")], [], create=["erp"])
    found.links = [e for e in found.links if e["record_id"] != "77"]
    released = letter(found.link_of("billing", "i1"), "to be sent again: mended", kind="failed")
    found.dead_letters = [{**released, "code": "released"}]

    assert told(found.reconcile(), "kind", "reason") == [("missing", "its customer is not in erp yet")]


def test_what_was_let_go_again_and_has_turned_up_set_aside_is_told_as_set_aside_alone(documents: Documents) -> None:
    found = documents([invoice("i1", "N-1")], [invoice("9", "N-1", **BROKEN)], create=["erp"])
    released = letter(found.link_of("billing", "i1"), "to be sent again: mended", kind="failed")
    found.dead_letters = [{**released, "code": "released"}]

    found.reconcile()

    assert [(item.kind, item.system, item.record_id) for item in found.items()] == [("quarantined", "erp", "9")]


def test_an_exception_about_a_record_that_has_no_label_yet_names_its_id(documents: Documents) -> None:
    found = documents([], [invoice("9", "", **BROKEN)])

    found.reconcile()

    assert [(item.kind, item.label) for item in found.items()] == [("quarantined", "9")]


def test_a_refused_update_is_told_in_the_targets_words(customers: Documents) -> None:
    found = customers([customer("a", "C-1", name="New")], [customer("1", "C-1")], update=["erp"])
    found.dead_letters = [letter(found.link_of("crm", "a"), "name is locked", fields=["name"])]

    assert told(found.reconcile(), "kind", "field", "reason") == [("refused", "name", "name is locked")]
    (item,) = found.items()
    assert (item.system, item.record_id, item.write_id, item.code) == ("erp", "1", "w-1", "locked")


def test_what_a_refused_update_did_not_speak_of_differs(customers: Documents) -> None:
    found = customers([customer("a", "C-1", name="New")], [customer("1", "C-1")], update=["erp"])
    found.dead_letters = [letter(found.link_of("crm", "a"), "the street is unknown", fields=["street"])]

    assert told(found.reconcile(), "kind", "field") == [("differs", "name")]


def test_a_refusal_of_the_leading_system_is_an_exception_about_its_record(scene: Callable[..., Scene]) -> None:
    found = scene("customer", systems=["crm", "erp"], owners={"name": "erp"}, update=["crm"])
    found.hold("crm", customer("a", "C-1", name="Old"))
    found.hold("erp", customer("1", "C-1", name="New"))
    found.match()
    found.dead_letters = [letter(found.link_of("crm", "a"), "name is locked", target="crm", fields=["name"])]

    found.reconcile()

    (item,) = found.items()
    assert (item.kind, item.system, item.record_id, item.write_id) == ("refused", "crm", "a", "w-1")


def test_what_a_person_accepted_is_a_finding_and_nobodys_exception(documents: Documents) -> None:
    found = documents([invoice("i1", "N-1", 80)], [], create=["erp"])
    found.dead_letters = [letter(found.link_of("billing", "i1"), "accepted by ann: written off", kind="discarded")]

    assert told(found.reconcile(), "kind", "amount_minor", "reason") == [
        ("discarded", 80, "accepted by ann: written off")
    ]
    assert found.items() == []


def test_a_refusal_is_told_even_where_another_system_is_in_doubt(scene: Callable[..., Scene]) -> None:
    found = scene("customer")
    found.hold("crm", customer("a", "C-1"))
    found.hold("billing", customer("x", "C-1"), customer("y", "C-1"))
    found.hold("erp", fields=["number"])
    found.match()
    found.dead_letters = [letter(found.link_of("crm", "a"), "no")]

    primary = [row for row in found.reconcile() if row["is_primary"]]

    assert ("refused", "erp") in told(primary, "kind", "system_b")


MAIL = "office@acme.test"


def test_what_is_missing_because_of_a_doubt_is_told_once_as_the_doubt(customers: Documents) -> None:
    found = customers(
        [customer("a", "C-1", email=MAIL)], [customer("1", "X-1", email=MAIL), customer("2", "Y-2", email=MAIL)]
    )

    findings = found.reconcile()

    assert sorted(told(findings, "kind", "record_b", "is_primary")) == [
        ("ambiguous", "1", True),
        ("ambiguous", "2", True),
        ("missing", None, False),
    ]


def test_a_doubt_names_its_candidates_and_the_amount_that_nothing_else_accounts_for(documents: Documents) -> None:
    found = documents([], [invoice("1", "N-1", 40), invoice("2", "N-1", 40)])

    findings = found.reconcile()

    assert ("duplicate", "1", -40, "2 records of erp share one number: N-1") in told(
        findings, "kind", "record_b", "amount_minor", "reason"
    )


BROKEN = {"tax_minor": 9}
ADDS_UP = "net and tax must add up to the total"


def test_what_is_missing_because_it_was_set_aside_is_told_once(documents: Documents) -> None:
    found = documents([invoice("i1", "N-1")], [invoice("1", "N-1", **BROKEN)])

    assert told(found.reconcile(), "kind", "reason", "amount_minor", "is_primary") == [
        ("missing", "set aside in erp", 100, False),
        ("quarantined", ADDS_UP, 100, True),
    ]


def test_what_is_unknown_because_its_leading_record_was_set_aside_is_told_once(documents: Documents) -> None:
    found = documents(
        [invoice("i1", "N-1", **BROKEN), invoice("i2", "N-2")], [invoice("1", "N-1"), invoice("2", "N-2")]
    )

    assert told(found.reconcile(), "kind", "reason", "amount_minor", "is_primary") == [
        ("quarantined", ADDS_UP, 100, True),
        ("unknown", "set aside in billing", -100, False),
    ]


def test_a_record_that_lives_on_after_its_leading_one_is_told_with_its_amount(documents: Documents) -> None:
    found = documents([invoice("i1", "N-1")], [invoice("1", "N-1", 60)])
    found.hold("billing", invoice("i1", "N-1", is_deleted=True))
    found.match()

    assert told(found.reconcile(), "kind", "record_b", "amount_minor") == [("deleted", "1", -60)]


def test_a_pair_without_the_owner_is_compared_but_is_nobodys_second_exception(scene: Callable[..., Scene]) -> None:
    found = scene("customer")
    found.hold("crm", customer("a", "C-1", city="Berlin"))
    found.hold("billing", customer("x", "C-1", city="Bonn"))
    found.hold("erp", customer("1", "C-1", city="Ulm"))
    found.match()

    findings = found.reconcile()

    assert sorted(told(findings, "system_a", "system_b", "is_primary")) == [
        ("billing", "erp", False),
        ("crm", "billing", True),
        ("crm", "erp", True),
    ]
    assert {item.system for item in found.items()} == {"billing", "erp"}


@pytest.mark.parametrize("owner", ["crm", "erp"])
def test_what_its_owner_does_not_know_is_no_difference(customers: Documents, owner: str) -> None:
    values = {"crm": {"tax_id": "DE1"}, "erp": {"tax_id": "DE1"}} | {owner: {"tax_id": None}}
    found = customers(
        [customer("a", "C-1", **values["crm"])], [customer("1", "C-1", **values["erp"])], owners={"tax_id": owner}
    )

    assert found.reconcile() == []


def test_personal_values_stay_out_of_the_findings(customers: Documents) -> None:
    found = customers([customer("a", "C-1", email="jane@x.test")], [customer("1", "C-1", email="joe@x.test")])

    findings = found.reconcile()

    assert told(findings, "field", "value_a", "value_b") == [("email", "(personal)", "(personal)")]
    assert "jane" not in str([findings, found.checks(), found.items()])


def test_one_record_is_one_exception_with_all_its_reasons_and_its_amount(documents: Documents) -> None:
    found = documents([invoice("i1", "N-1", 100)], [invoice("1", "N-1", 90, kind="credit")])
    found.reconcile()

    (item,) = found.items()

    assert (item.kind, item.system, item.record_id, item.label) == ("differs", "erp", "1", "N-1")
    assert item.reason == "kind differs; lines differs; net_minor differs; total_minor differs"
    assert (item.amount_minor, item.currency) == (10, "EUR")


def test_exceptions_of_different_records_have_different_fingerprints_and_keep_them(customers: Documents) -> None:
    found = customers(
        [customer("a", "C-1", email=MAIL), customer("b", "C-2")],
        [customer("1", "X-1", email=MAIL), customer("2", "Y-2", email=MAIL)],
    )
    found.reconcile()
    first = [item.fingerprint for item in found.items()]

    found.reconcile()

    assert [item.fingerprint for item in found.items()] == first
    assert len(set(first)) == len(first) == 3


def test_findings_are_counted_by_kind_and_amount_without_what_is_told_elsewhere(documents: Documents) -> None:
    found = documents(
        [invoice("i1", "N-1", 100), invoice("i2", "N-2", 30), invoice("i3", "N-3", 1)],
        [invoice("1", "N-1", 90), invoice("3", "N-3", 1), invoice("9", "MAN", 5)],
    )
    found.reconcile()

    disagreeing, kinds, amounts = reconcile.counted(found.lake)

    assert disagreeing == 1
    assert kinds == {"differs": 3, "missing": 1, "unknown": 1}
    assert amounts == {"EUR": 10 + 30 + 5}


def test_control_totals_are_taken_from_each_system_alone(documents: Documents) -> None:
    april = {"issued_on": date(2026, 4, 2)}
    found = documents(
        [invoice("i1", "N-1", 100), invoice("i2", "N-2", 50), invoice("i3", "N-3", 7, currency="JPY")],
        [invoice("1", "X-9", 100), invoice("2", "X-8", 50, **april), invoice("3", "X-7", 5, status="draft")],
    )
    found.links = []

    assert proof.totals(found.lake, found.domain, ["billing", "erp"]) == [
        Total("invoice", "billing", "US01", "2026-03", "EUR", 2, 150),
        Total("invoice", "billing", "US01", "2026-03", "JPY", 1, 7),
        Total("invoice", "erp", "US01", "2026-03", "EUR", 1, 100),
        Total("invoice", "erp", "US01", "2026-04", "EUR", 1, 50),
    ]


def test_a_domain_without_dates_has_no_control_totals(customers: Documents) -> None:
    found = customers([customer("a", "C-1")], [])

    assert proof.totals(found.lake, found.domain, ["crm", "erp"]) == []


@pytest.mark.parametrize(
    ("billing", "erp", "results"),
    [
        ([invoice("i1", "N-1")], [invoice("1", "N-1")], ("passed", "passed", "passed")),
        ([invoice("i1", "N-1")], [invoice("1", "N-1", 101)], ("failed", "failed", "passed")),
        ([invoice("i1", "N-1", kind="credit")], [invoice("1", "N-1")], ("failed", "passed", "passed")),
        ([], [], ("not_checked", "not_checked", "passed")),
        ([invoice("i1", "N-1", status="draft")], [], ("not_checked", "not_checked", "passed")),
        ([invoice("i1", "N-1", status="draft")], [invoice("1", "N", status="draft", is_deleted=True)],
         ("not_checked", "not_checked", "passed")),
        ([invoice("i1", "N-1"), invoice("i2", "N-2", tax_minor=1)], [invoice("1", "N-1")],
         ("passed", "passed", "failed")),
    ],
)  # fmt: skip
def test_each_check_passes_fails_or_says_that_it_could_not_run(
    documents: Documents, billing: list[Row], erp: list[Row], results: tuple[str, ...]
) -> None:
    found = documents(billing, erp)
    found.reconcile()

    checks = found.checks()

    names = ("agrees_billing_erp", "control_totals_billing_erp", "no_quarantined_records")
    assert tuple(checks[name].result for name in names) == results


def test_a_failed_check_says_how_many_how_much_and_which(documents: Documents) -> None:
    found = documents([invoice("i1", "N-1", 100), invoice("i2", "N-2", 30)], [invoice("1", "N-1", 90)])
    found.reconcile()

    agrees, totals = (found.checks()[n] for n in ("agrees_billing_erp", "control_totals_billing_erp"))

    assert (agrees.count, agrees.amounts) == (2, {"EUR": 40})
    assert {each["record_id"] for each in agrees.sample} == {"1", "i2"}
    assert (totals.count, totals.amounts) == (1, {"EUR": 40})
    assert totals.sample[0]["billing"] == 130


EARLY = {"issued_on": date(2025, 12, 31)}
LIVE = {"cut_over": date(2026, 1, 1), "create": ["erp"]}


def test_what_is_from_before_the_cut_over_is_told_as_that_and_is_nobodys_work(documents: Documents) -> None:
    found = documents([invoice("i1", "N-1", 40, **EARLY)], [invoice("9", "OLD", 70, **EARLY)], **LIVE)

    findings = found.reconcile()

    assert sorted(told(findings, "kind", "reason", "amount_minor", "is_primary")) == [
        ("before_cut_over", "before cut-over, not in billing", -70, False),
        ("before_cut_over", "before cut-over, not in erp", 40, False),
    ]
    assert found.items() == []
    assert {c.name for c in found.checks().values() if c.result is Result.FAILED} == set()


def test_documents_are_created_from_the_cut_over_on_and_compared_before_it_too(documents: Documents) -> None:
    found = documents(
        [invoice("i1", "N-1", 40, **EARLY), invoice("i2", "N-2", 50), invoice("i3", "N-3", 60, **EARLY)],
        [invoice("3", "N-3", 61, **EARLY)],
        **LIVE,
    )

    writes = found.plan("erp")
    findings = [f for f in found.reconcile() if f["field"] == "total_minor"]

    assert [w.label for w in writes] == ["N-2"]
    assert told(findings, "kind", "record_a", "record_b") == [("differs", "i3", "3")]


SIDES = st.sampled_from(["live", "deleted", "refused", "draft", "absent"])
AMOUNTS = st.integers(1, 3)
Book = list[tuple[str, str, str, int, int]]
BOOKS: st.SearchStrategy[Book] = st.lists(
    st.tuples(st.sampled_from(["N-1", "N-2", "N-3"]), SIDES, SIDES, AMOUNTS, AMOUNTS), max_size=6
)


def document(record_id: str, number: str, state: str, amount: int) -> list[Row]:
    """A document in one of the states that it can have, or none."""
    changed = {
        "live": {},
        "deleted": {"is_deleted": True},
        "refused": {"tax_minor": 1},
        "draft": {"status": "draft"},
        "absent": {},
    }[state]
    return [] if state == "absent" else [invoice(record_id, number, amount, **changed)]


def both(book: Book) -> tuple[list[Row], list[Row]]:
    """The documents of billing and of the erp."""
    here = [
        row for n, (number, state, _, amount, _) in enumerate(book) for row in document(f"i{n}", number, state, amount)
    ]
    there = [
        row for n, (number, _, state, _, amount) in enumerate(book) for row in document(f"{n}", number, state, amount)
    ]
    return here, there


@given(book=BOOKS)
@effort(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_findings_explain_every_cent_of_every_difference(documents: Documents, book: Book) -> None:
    billing = [
        row for n, (number, here, _, amount, _) in enumerate(book) for row in document(f"i{n}", number, here, amount)
    ]
    erp = [
        row for n, (number, _, there, _, amount) in enumerate(book) for row in document(f"{n}", number, there, amount)
    ]
    found = documents(billing, erp)

    findings = found.reconcile()
    totals = proof.totals(found.lake, found.domain, ["billing", "erp"])

    sums = {t.system: t.sum_minor for t in totals}
    explaining = [f for f in findings if f["kind"] not in {"quarantined", "duplicate"}]
    assert sum(f["amount_minor"] or 0 for f in explaining) == sums.get("billing", 0) - sums.get("erp", 0)


@given(book=BOOKS)
@effort(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_live_record_is_compared_or_accounted_for(documents: Documents, book: Book) -> None:
    billing = [
        row for n, (number, here, _, amount, _) in enumerate(book) for row in document(f"i{n}", number, here, amount)
    ]
    erp = [
        row for n, (number, _, there, _, amount) in enumerate(book) for row in document(f"{n}", number, there, amount)
    ]
    found = documents(billing, erp)

    findings = found.reconcile()

    named = {(f[f"system_{side}"], f[f"record_{side}"]) for f in findings for side in "ab"}
    linked = {each for a, b in found.linked if "-" not in (a, b) for each in (("billing", a), ("erp", b))}
    posted = [("billing", r["record_id"]) for r in billing if _counts(r)]
    posted += [("erp", r["record_id"]) for r in erp if _counts(r)]
    doubted = {(d["system"], d["record_id"]) for d in found.doubts()}
    assert set(posted) <= named | linked | doubted


def _counts(row: Row) -> bool:
    return row["status"] == "posted" and not row.get("is_deleted")
