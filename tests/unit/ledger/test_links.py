"""Links begin, end and never overlap."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pytest
from sqlalchemy.exc import IntegrityError

from sync_pipelines.ledger import Ledger

Maker = Callable[..., pa.Table]


def _members(ledger: Ledger, domain: str = "") -> list[tuple[str, str, str]]:
    rows = ledger.open_links(domain).to_pylist()
    return [(row["link_id"], row["system"], row["record_id"]) for row in rows]


def _change(ledger: Ledger, added: pa.Table, ended: pa.Table, domain: str = "customer") -> None:
    ledger.change_links(domain, added=added, ended=ended, run_id="run-1")


def test_open_links_say_why_they_exist(ledger: Ledger, added: Maker, ended: Maker) -> None:
    _change(ledger, added(("l1", "salesforce", "001"), ("l1", "stripe", "cus_1")), ended())

    assert ledger.open_links().to_pylist()[0] == {
        "domain": "customer",
        "link_id": "l1",
        "system": "salesforce",
        "record_id": "001",
        "rule": "number",
        "evidence": "both carry the same number",
    }


def test_without_links_the_table_still_has_its_columns(ledger: Ledger) -> None:
    assert ledger.open_links().schema == pa.schema(
        [(name, pa.string()) for name in ("domain", "link_id", "system", "record_id", "rule", "evidence")]
    )


def test_a_record_leaves_one_link_and_joins_another_in_one_change(ledger: Ledger, added: Maker, ended: Maker) -> None:
    _change(ledger, added(("l1", "stripe", "cus_1")), ended())

    _change(ledger, added(("l2", "stripe", "cus_1")), ended(("l1", "stripe", "cus_1")))

    assert _members(ledger) == [("l2", "stripe", "cus_1")]
    first, second = ledger.story("cus_1").links
    assert (first.link_id, first.ended_reason) == ("l1", "a person said so")
    assert first.until == second.since


@pytest.mark.parametrize("row", [("l2", "stripe", "cus_1"), ("l1", "stripe", "cus_2")])
def test_a_record_is_in_one_link_and_a_link_holds_one_record_of_a_system(
    ledger: Ledger, added: Maker, ended: Maker, row: tuple[str, str, str]
) -> None:
    _change(ledger, added(("l1", "stripe", "cus_1")), ended())

    with pytest.raises(IntegrityError):
        _change(ledger, added(("l3", "stripe", "cus_3"), row), ended())

    assert _members(ledger) == [("l1", "stripe", "cus_1")]
    assert ledger.verify_audit() is None


def test_adding_what_holds_already_changes_nothing(ledger: Ledger, added: Maker, ended: Maker) -> None:
    _change(ledger, added(("l1", "stripe", "cus_1")), ended())
    _change(ledger, added(("l1", "stripe", "cus_1")), ended())

    assert len(ledger.story("l1").links) == 1
    assert [entry.kind for entry in ledger.story("l1").audit] == ["link.added"]


def test_domains_link_the_same_record_independently(ledger: Ledger, added: Maker, ended: Maker) -> None:
    _change(ledger, added(("l1", "stripe", "x"), ("l1", "tryton", "x")), ended())
    _change(ledger, added(("l2", "stripe", "x")), ended(), domain="product")

    assert _members(ledger, "product") == [("l2", "stripe", "x")]
    assert ledger.linked_by_domain() == {"customer": 1}


def _former(ledger: Ledger) -> list[tuple[str, str, str, str]]:
    return [(r["link_id"], r["record_id"], r["rule"], r["reason"]) for r in ledger.former_links().to_pylist()]


def test_a_former_link_is_the_last_that_a_records_own_evidence_made_and_tells_why_the_last_of_all_ended(
    ledger: Ledger, added: Maker, ended: Maker
) -> None:
    merged = added(("l2", "stripe", "cus_1"))
    merged = merged.set_column(merged.column_names.index("rule"), "rule", pa.array(["merged"]))
    _change(ledger, added(("l0", "stripe", "cus_1")), ended())
    _change(ledger, added(("l1", "stripe", "cus_1")), ended(("l0", "stripe", "cus_1")))
    before = _former(ledger)
    _change(ledger, merged, ended(("l1", "stripe", "cus_1")))
    during = _former(ledger)
    gone = pa.table(
        {"link_id": ["l2"], "system": ["stripe"], "record_id": ["cus_1"], "reason": ["no longer in stripe"]}
    )
    _change(ledger, added(), gone)

    assert before == [("l0", "cus_1", "number", "a person said so")]
    assert during == [("l1", "cus_1", "number", "a person said so")]
    assert _former(ledger) == [("l1", "cus_1", "number", "no longer in stripe")]
