"""Exceptions open, stay and resolve with what is found."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync_pipelines.engine.reconcile import Item
from sync_pipelines.ledger import Assigned, Ledger
from tests.conftest import StandingClock


def _found(name: str, owner: str = "revops", domain: str = "customer", **changed: object) -> Assigned:
    item = Item(f"f-{name}", domain, "differs", "stripe", f"cus_{name}", f"C-{name}", "name differs", 1250, "EUR")
    return Assigned(replace(item, **changed), owner, due_hours=8, evidence={"field": "name"})


def _sync(ledger: Ledger, *found: Assigned, domain: str = "customer") -> tuple[int, int, int]:
    synced = ledger.sync_work_items(domain, found, run_id="run-1")
    return synced.opened, synced.resolved, synced.kept


def test_what_is_new_opens_what_is_gone_resolves_and_the_rest_stays(ledger: Ledger, clock: StandingClock) -> None:
    first = _sync(ledger, _found("1"), _found("2"))
    opened_at = clock.now()
    clock.sleep(3600)
    second = _sync(ledger, _found("2"), _found("3"))

    assert (first, second) == ((2, 0, 0), (1, 1, 1))
    kept, fresh = ledger.open_work_items()
    assert (kept.label, kept.opened_at, kept.due_at) == ("C-2", opened_at, opened_at + timedelta(hours=8))
    assert fresh.label == "C-3"
    (gone,) = ledger.story("C-1").work_items
    assert (gone.resolved_at, gone.resolution) == (clock.now(), "the difference is gone")


def test_an_exception_that_comes_back_is_opened_anew(ledger: Ledger) -> None:
    _sync(ledger, _found("1"))
    _sync(ledger)
    again = _sync(ledger, _found("1"))

    assert again == (1, 0, 0)
    assert len(ledger.story("C-1").work_items) == 2


def test_an_open_exception_takes_the_words_and_amount_of_today(ledger: Ledger) -> None:
    _sync(ledger, _found("1"))
    _sync(ledger, _found("1", owner="finance", amount_minor=99, reason="name and total differ"))

    (item,) = ledger.open_work_items()
    assert (item.owner, item.amount_minor, item.reason) == ("finance", 99, "name and total differ")


def test_domains_do_not_resolve_one_another(ledger: Ledger) -> None:
    _sync(ledger, _found("1"))
    _sync(ledger, _found("2", domain="product", owner="product"), domain="product")

    assert ledger.exceptions_by_owner() == {"product": 1, "revops": 1}
    assert [item.label for item in ledger.open_work_items(domain="product")] == ["C-2"]
    assert [item.label for item in ledger.open_work_items(owner="revops")] == ["C-1"]


def test_the_trail_tells_when_exceptions_open_change_and_resolve(ledger: Ledger) -> None:
    _sync(ledger, _found("1"))
    _sync(ledger, _found("1"))
    _sync(ledger, _found("1", amount_minor=1))
    _sync(ledger)

    kinds = [entry.kind for entry in ledger.audit_of("f-1")]
    assert kinds == ["exception.opened", "exception.changed", "exception.resolved"]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(looks=st.lists(st.sets(st.sampled_from("abcdef")), min_size=1, max_size=5))
def test_after_every_look_exactly_what_was_found_is_open(ledger: Ledger, looks: list[set[str]]) -> None:
    before = {item.label for item in ledger.open_work_items()}
    for look in looks:
        opened, resolved, kept = _sync(ledger, *map(_found, sorted(look)))
        labels = {f"C-{name}" for name in look}

        assert {item.label for item in ledger.open_work_items()} == labels
        assert (opened, resolved, kept) == (len(labels - before), len(before - labels), len(before & labels))
        before = labels
