"""Corrections hold for exactly the body they were made for, and make another write of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sync_pipelines.engine.correction import Correction, body_hash, corrected, edits
from sync_pipelines.engine.plan import Change, Write
from sync_pipelines.engine.port import Operation, Request
from sync_pipelines.errors import FixConfiguration

BODY = {"name": "A very long name", "address": {"city": "Bonn"}, "lines": [{"quantity": 2}], "active": True}
SHAPE = {"name": "VARCHAR", "payment_days": "BIGINT", "address": {"line2": "VARCHAR"}}


def write(body: dict[str, object] = BODY, **changed: object) -> Write:
    request = Request("w-1", "customers", Operation.CREATE, None, "link-1", body, idempotency_key="w-1")
    changes = (Change("name", None, "A very long name"),)
    return replace(Write(request, "customer", "erp", "link-1", "C-1", changes, None), **changed)


def correction(patch: dict[str, object], body: dict[str, object] = BODY) -> Correction:
    return Correction("link-1", body_hash(body), patch, "ann", "the erp takes ten letters")


def test_a_corrected_write_is_another_write_that_says_who_corrected_it() -> None:
    (made,), ended = corrected(
        [write()], [correction({"name": "Short", "address.city": "Köln", "lines.0.quantity": 3})]
    )

    assert made.request.body == {
        "name": "Short",
        "address": {"city": "Köln"},
        "lines": [{"quantity": 3}],
        "active": True,
    }
    assert made.request.write_id == made.request.idempotency_key != "w-1"
    assert made.corrected_by == "ann"
    assert ended == []


def test_the_changes_show_the_corrected_value() -> None:
    (made,), _ = corrected([write()], [correction({"name": "Short", "address.line2": "3rd floor"})])

    assert made.changes == (Change("name", None, "Short"), Change("address.line2", None, "3rd floor"))


def test_what_was_planned_stays_as_it_was() -> None:
    before = write()

    corrected([before], [correction({"address.city": "Köln"})])

    assert before == write()


def test_the_same_correction_makes_the_same_write_again() -> None:
    once, again = (corrected([write()], [correction({"name": "Short"})])[0] for _ in range(2))

    assert once == again


def test_a_correction_ends_when_something_else_is_planned() -> None:
    other = write({**BODY, "name": "Another name"})

    assert corrected([other], [correction({"name": "Short"})]) == ([other], [correction({"name": "Short"})])


def test_a_correction_ends_when_nothing_is_planned_and_waits_while_it_is_held_back() -> None:
    made = correction({"name": "Short"})

    assert corrected([], [made]) == ([], [made])
    assert corrected([], [made], held={"link-1"}) == ([], [])


def test_values_take_the_type_of_what_is_planned_or_declared() -> None:
    given = ["name=Short", "active=False", "lines.0.quantity=3", "payment_days=30", "address.line2=a=b"]

    assert edits(BODY, SHAPE, given) == {
        "name": "Short",
        "active": False,
        "lines.0.quantity": 3,
        "payment_days": 30,
        "address.line2": "a=b",
    }


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ("nmae=Short", r"has no 'nmae'; it has active, address\.city, lines\.0\.quantity, name"),
        ("address=Bonn", "has no 'address'"),
        ("address.zip=1", r"has no 'address\.zip'"),
        ("lines.1.quantity=3", r"has no 'lines\.1\.quantity'"),
        ("lines.0.quantity=many", "'lines.0.quantity' takes a whole number, not 'many'"),
        ("active=maybe", "'active' takes true or false, not 'maybe'"),
        ("name", "write PATH=VALUE"),
    ],
)
def test_what_can_not_be_set_is_refused_by_name(given: str, complaint: str) -> None:
    with pytest.raises(FixConfiguration, match=complaint):
        edits(BODY, SHAPE, [given])
