"""The finance check report: what stands side by side, what explains a difference, and what it dares to claim."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest

from sync_pipelines.engine.outcome import Check, Extraction, Result, Total
from sync_pipelines.reports.finance import Basis, Comparison, Finding, OpenException, Report, compare, render

NOW = datetime(2026, 11, 23, 9, 5, tzinfo=UTC)
PAIRS = {"invoice": [("stripe", "tryton")]}


def total(system: str, sum_minor: int, count: int = 1, **more: str) -> Total:
    place = {"domain": "invoice", "legal_entity": "US01", "period": "2026-03", "currency": "EUR"} | more
    return Total(system=system, count=count, sum_minor=sum_minor, **place)


def finding(amount: int | None, **more: Any) -> Finding:
    usual = {
        "domain": "invoice",
        "kind": "missing",
        "system_a": "stripe",
        "system_b": "tryton",
        "record_a": "in_1",
        "record_b": None,
        "label": "N-1",
        "field": None,
        "value_a": None,
        "value_b": None,
        "currency": "EUR",
        "legal_entity": "US01",
        "period": "2026-03",
        "reason": "not in tryton",
    }
    return Finding(**usual | {"amount_minor": amount} | more)


def exception(**more: Any) -> OpenException:
    usual = {
        "owner": "finance",
        "domain": "invoice",
        "kind": "missing",
        "label": "N-1",
        "reason": "the period is closed",
        "amount_minor": 5000,
        "currency": "EUR",
        "opened_at": NOW,
        "due_at": NOW,
    }
    return OpenException(**usual | more)


def check(result: Result, **more: Any) -> Check:
    usual = {"name": "agrees", "subject": "invoice/reconciliation", "claim": "Every invoice is the same."}
    return Check(**usual | {"result": result} | more)


def report(*comparisons: Comparison, **more: Any) -> Report:
    complete = check(Result.NOT_CHECKED, name="complete", subject="stripe/invoices", reason="NOT PROVABLE: no count")
    basis = Basis(
        run_id="run-1",
        mode="full",
        as_of=NOW,
        snapshot=42,
        mapping_versions={"stripe/invoice": "abc123"},
        extractions=[Extraction("stripe", "invoices", 3, 3, 0, 1, 3, None, (complete,))],
    )
    usual = {
        "legal_entities": {"US01": "Meridian Software Inc"},
        "checks": [check(Result.PASSED)],
        "comparisons": list(comparisons),
        "findings": [],
        "exceptions": [],
        "owners": {"finance": "Accounts Receivable"},
    }
    return Report(basis=basis, **usual | more)


def compared(left: int, right: int, *findings: Finding) -> Comparison:
    (made,) = compare([total("stripe", left), total("tryton", right)], findings, PAIRS)
    return made


# Comparisons


def test_both_sides_of_a_pair_stand_beside_each_other() -> None:
    made = compared(500, 500)

    assert (made.systems, made.counts, made.sums) == (("stripe", "tryton"), (1, 1), (500, 500))
    assert made.agrees


def test_a_side_without_documents_counts_as_nothing() -> None:
    (made,) = compare([total("tryton", 70)], [], PAIRS)

    assert (made.counts, made.sums, made.difference_minor) == ((0, 1), (0, 70), -70)
    assert not made.agrees


def test_periods_entities_and_currencies_are_kept_apart_and_in_order() -> None:
    totals = [
        total("stripe", 1, period="2026-04"),
        total("stripe", 2, currency="JPY"),
        total("stripe", 3),
        total("stripe", 4, legal_entity="DE01"),
    ]

    made = compare(totals, [], PAIRS)

    assert [(c.period, c.legal_entity, c.currency, c.sums[0]) for c in made] == [
        ("2026-03", "DE01", "EUR", 4),
        ("2026-03", "US01", "EUR", 3),
        ("2026-03", "US01", "JPY", 2),
        ("2026-04", "US01", "EUR", 1),
    ]


def test_a_difference_is_explained_by_the_findings_of_the_same_place() -> None:
    made = compared(500, 520, finding(80), finding(-100, kind="unknown"))

    assert (made.difference_minor, made.explained_minor, made.unexplained_minor) == (-20, -20, 0)


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"period": "2026-04"},
        {"legal_entity": "DE01"},
        {"currency": "USD"},
        {"domain": "order"},
        {"system_b": "sap"},
        {"kind": "quarantined"},
        {"kind": "duplicate"},
    ],
)
def test_a_finding_of_another_place_or_kind_explains_nothing(elsewhere: dict[str, str]) -> None:
    made = compared(500, 400, finding(100, **elsewhere))

    assert made.findings == ()
    assert made.unexplained_minor == 100


def test_equal_sums_of_different_counts_do_not_agree() -> None:
    (made,) = compare([total("stripe", 100, 2), total("tryton", 100, 1)], [], PAIRS)

    assert not made.agrees


def test_values_in_minor_units_are_read_as_money() -> None:
    assert finding(1, field="total_minor", value_a="123456", value_b="5").shown == ("EUR 1,234.56", "EUR 0.05")
    assert finding(1, field="issued_on", value_a="2026-03-01", value_b=None).shown == ("2026-03-01", "")


# The verdict


AGREES, EXPLAINED, UNEXPLAINED = compared(5, 5), compared(5, 4, finding(1)), compared(5, 4)


@pytest.mark.parametrize(
    ("made", "sentence", "standing"),
    [
        (report(), "Nothing was compared.", "apart"),
        (report(AGREES), "Both sides agree, to the cent.", "agrees"),
        (report(AGREES, AGREES, exceptions=[exception()]),
         "All 2 control totals agree. Exceptions that need a person: 1.", "explained"),
        (report(AGREES, EXPLAINED),
         "1 of 2 control totals differ; a finding stands behind every cent of it.", "explained"),
        (report(AGREES, EXPLAINED, UNEXPLAINED),
         "1 of 3 control totals differ without an explanation.", "apart"),
        (report(AGREES, checks=[check(Result.FAILED)]),
         "All 1 control totals agree. Checks that failed: 1.", "explained"),
        (report(AGREES, checks=[check(Result.NOT_CHECKED)]),
         "Both sides agree, to the cent. Checks that could not run: 1.", "agrees"),
        (report(UNEXPLAINED, checks=[check(Result.NOT_CHECKED)]),
         "1 of 1 control totals differ without an explanation. Checks that could not run: 1.", "apart"),
    ],
)  # fmt: skip
def test_the_verdict_claims_no_more_than_is_proven(made: Report, sentence: str, standing: str) -> None:
    assert made.verdict == sentence
    assert made.standing == standing
    assert f'<div class="verdict {standing}">{sentence}</div>' in render(made)


def test_checks_are_counted_by_all_three_outcomes() -> None:
    checks = [check(Result.PASSED), check(Result.PASSED), check(Result.FAILED), check(Result.NOT_CHECKED)]

    assert report(checks=checks).outcomes == {"passed": 2, "failed": 1, "not_checked": 1}


def test_what_is_at_stake_is_added_up_by_currency() -> None:
    made = report(
        exceptions=[exception(), exception(amount_minor=1), exception(currency="JPY"), exception(amount_minor=None)]
    )

    assert made.at_stake == {"EUR": 5001, "JPY": 5000}


# The page


class Page(HTMLParser):
    """The cells and words of a page; a tag that is not closed, or that loads something, is an error."""

    VOID = frozenset({"meta", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.rows: list[list[str]] = []
        self.words: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        assert tag not in {"script", "link", "img", "iframe", "object", "embed"}
        assert not {name for name, _ in attributes} & {"src", "href", "onload", "onerror"}
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self.rows and {"td", "th"} & set(self.open):
            self.rows[-1][-1] = " ".join(f"{self.rows[-1][-1]} {data}".split())


def full() -> Report:
    return report(
        compared(500, 400, finding(100)),
        findings=[finding(100), finding(None, kind="differs", field="total_minor", value_a="500", value_b="400")],
        exceptions=[exception()],
        checks=[
            check(Result.FAILED, count=2, amounts={"EUR": 10050, "JPY": 7}),
            check(Result.NOT_CHECKED, claim="It is all.", reason="one side holds no documents"),
        ],
    )


def test_the_page_stands_alone() -> None:
    text = render(full())

    Page(text)
    assert text.startswith("<!DOCTYPE html>")
    assert "http://" not in text
    assert "https://" not in text
    assert "url(" not in text
    assert "@import" not in text


def test_the_page_shows_both_totals_the_difference_and_the_finding_behind_it() -> None:
    rows = Page(render(full())).rows

    totals = ["2026-03", "US01", "EUR", "1", "EUR 5.00", "1", "EUR 4.00", "EUR 1.00", "EUR 0.00", "failed"]
    assert rows[rows.index(totals) + 1] == ["N-1: not in tryton", "EUR 1.00", "", ""]


def test_the_page_shows_exceptions_under_the_name_of_their_owner() -> None:
    page = Page(render(full()))

    assert any("Accounts Receivable" in word for word in page.words)
    assert ["invoice", "missing", "N-1", "the period is closed", "EUR 50.00", "2026-11-23 09:05"] in page.rows


def test_the_page_shows_what_could_not_run_as_not_checked_and_never_as_passed() -> None:
    text = render(full())
    rows = Page(text).rows

    assert ["invoice/reconciliation", "It is all.", "not checked", "", "", "one side holds no documents"] in rows
    assert '<span class="outcome not_checked">not checked</span>' in text
    assert '<span class="outcome passed">' not in text
    assert ["stripe", "invoices", "3", "3", "", "not checked NOT PROVABLE: no count"] in rows


def test_the_page_shows_how_many_records_break_a_claim_and_what_they_are_worth() -> None:
    rows = Page(render(full())).rows

    (failed,) = [row for row in rows if row[:1] == ["invoice/reconciliation"] and row[2] == "failed"]
    assert failed[3:5] == ["2", "EUR 100.50 JPY 7"]


def test_the_page_says_what_it_was_computed_from() -> None:
    page = Page(render(full()))

    text = " ".join(page.words)
    assert "Lake snapshot 42" in text
    assert "run-1" in text
    assert "23 November 2026, 09:05 UTC" in text
    assert ["stripe/invoice", "abc123"] in page.rows


def test_nothing_that_a_record_says_becomes_markup() -> None:
    evil = "<script>alert('x')</script><img src=x onerror=alert(1)>"
    made = report(
        compared(5, 4, finding(1, label=evil, reason=evil)),
        findings=[finding(1, label=evil, value_a=evil, value_b=evil, reason=evil)],
        exceptions=[exception(label=evil, reason=evil)],
        checks=[check(Result.FAILED, reason=evil)],
        legal_entities={"US01": evil},
        owners={"finance": evil},
    )

    text = render(made)

    Page(text)
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_a_report_of_nothing_says_so() -> None:
    text = " ".join(Page(render(replace(report(), checks=[]))).words)

    assert "No documents were compared." in text
    assert text.count("None.") == 2
