"""Every invariant can fail: a world in agreement, broken in one way, breaks the one that watches over it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import psycopg
import pytest

from sync_pipelines.engine.plan import Write
from sync_pipelines.engine.port import Operation, Request
from sync_pipelines.ledger import Ledger, WorkItem
from sync_pipelines.sandbox.tryton.wizard import NAME as CREDIT
from sync_pipelines.sandbox.tryton.wizard import Wizards
from sync_pipelines.testing.simulation import books, injector, people
from sync_pipelines.testing.simulation.campaign import Field
from sync_pipelines.testing.simulation.invariant import INVARIANTS, check, names
from sync_pipelines.testing.simulation.life import Ended, live
from sync_pipelines.testing.simulation.line import Asked
from sync_pipelines.testing.simulation.story import Story
from sync_pipelines.testing.simulation.world import Said, Worked, World, closing, rows, topology_of

PEACE = Story(7, ("customer", "order", "invoice"), ("full",), (60,), ())
Break = Callable[[World], Any]


@pytest.fixture(scope="module")
def lived(field: Field) -> Iterator[tuple[World, Ended]]:
    """A company to which nothing happened."""
    topology = topology_of(field.topology_path, state=field.state)
    world = World.make(PEACE, field.ground.fresh(), topology=topology, injectors=injector.HAPPENINGS)
    with closing(world):
        yield world, live(world)


class _Undo(Exception):
    pass


@contextmanager
def undone(world: World, *systems: str) -> Iterator[None]:
    """What the block does to the systems is undone at its end."""
    first, *rest = systems
    try:
        with world.boxes[first].store.transaction():
            if rest:
                with undone(world, *rest):
                    yield
            else:
                yield
            raise _Undo
    except _Undo:
        pass


def change(world: World, system: str, table: str, key: str, **values: Any) -> None:
    store = world.boxes[system].store
    store.put(table, key, {**store.table(table).rows[key], **values})


def broken(lived: tuple[World, Ended], how: Break) -> set[str]:
    world, ended = lived
    with undone(world, "salesforce", "stripe", "tryton"):
        how(world)
        return names(check(world, ended))


def test_peace_breaks_nothing(lived: tuple[World, Ended]) -> None:
    assert check(*lived) == []


def a_posted(world: World) -> dict[str, Any]:
    return dict(next(i for i in rows(world, "tryton", "account.invoice") if i["state"] == "posted"))


def posted_twice(world: World) -> None:
    world.boxes["tryton"].store.put("account.invoice", "9001", {**a_posted(world), "id": 9001})


def customer_made_twice(world: World) -> None:
    made = next(c for c in rows(world, "stripe", "customer"))
    for number in (1, 2):
        twin = {**made, "id": f"cus_{number}", "metadata": {"sync_id": "customer-1"}}
        world.boxes["stripe"].store.put("customer", twin["id"], twin)


@pytest.mark.parametrize("how", [posted_twice, customer_made_twice])
def test_a_document_or_a_record_that_is_there_twice_is_a_violation(lived: tuple[World, Ended], how: Break) -> None:
    assert "no_duplicates" in broken(lived, how)


def lose_an_invoice(world: World) -> None:
    row = a_posted(world)
    world.boxes["tryton"].store.delete("account.invoice", str(row["id"]))


def a_cent_off(world: World) -> None:
    row = a_posted(world)
    change(world, "tryton", "account.invoice", str(row["id"]), total_amount_cache="1.01")


def lose_a_sale(world: World) -> None:
    world.boxes["tryton"].store.delete("sale.sale", books.sold(world)[0].record_id)


@pytest.mark.parametrize("how", [lose_an_invoice, a_cent_off, lose_a_sale])
def test_a_lost_or_altered_document_is_a_violation(lived: tuple[World, Ended], how: Break) -> None:
    assert "documents_agree" in broken(lived, how)


@pytest.mark.parametrize("how", [lose_an_invoice, a_cent_off])
def test_money_that_is_not_accounted_for_is_a_violation(lived: tuple[World, Ended], how: Break) -> None:
    assert {"money_is_conserved", "totals_are_true"} <= broken(lived, how)


ITEM = (
    "INSERT INTO ledger.work_items (fingerprint, domain, kind, owner, system, record_id, label, reason, evidence,"
    " opened_at, due_at, run_id, write_id) VALUES ('f', 'invoice', '{kind}', 'finance', 'tryton', '', '{label}', '',"
    " '{{}}', now(), now(), 'r', (SELECT min(write_id) FROM ledger.writes WHERE domain = 'invoice'))"
    " RETURNING item_id"
)


@contextmanager
def exception(world: World, label: str, *, kind: str = "missing", resolution: str = "") -> Iterator[WorkItem]:
    """One more exception, about an invoice."""
    with psycopg.connect(_libpq(world), autocommit=True) as connection:
        ((item_id,),) = connection.execute(ITEM.format(label=label, kind=kind)).fetchall()  # type: ignore[arg-type]
        if resolution:
            closed = "UPDATE ledger.work_items SET resolved_at = now(), resolution = %s, resolved_by = 'wanda'"
            connection.execute(f"{closed} WHERE fingerprint = 'f'", [resolution])  # type: ignore[arg-type]
        try:
            with Ledger.connect(world.planes.url) as ledger:
                found = ledger.work_item(item_id)
            assert found is not None
            yield found
        finally:
            connection.execute("DELETE FROM ledger.work_items WHERE fingerprint = 'f'")


def test_an_open_exception_excuses_its_own_record_alone(lived: tuple[World, Ended]) -> None:
    world, _ = lived

    def judged(label: str) -> set[str]:
        with exception(world, label):
            return broken(lived, lose_an_invoice)

    assert "documents_agree" in judged("another")
    assert "documents_agree" not in judged(a_posted(world)["reference"])


def worked(item: WorkItem, write: Write, act: str) -> Worked:
    return Worked(item.opened_at, act, item, write)


def test_what_a_person_accepted_excuses_its_record_until_she_takes_it_back(lived: tuple[World, Ended]) -> None:
    world, _ = lived

    with exception(world, a_posted(world)["reference"], resolution="discarded: for ever") as item:
        assert "documents_agree" in broken(lived, lose_an_invoice)
        world.worked.append(worked(item, said(world, "").write, "discarded"))
        try:
            assert "documents_agree" not in broken(lived, lose_an_invoice)
            world.worked.append(worked(item, said(world, "").write, "reopened"))
            assert "documents_agree" in broken(lived, lose_an_invoice)
        finally:
            world.worked.clear()


DISCARD = "UPDATE ledger.writes SET state = {}, code = {} WHERE write_id = '{}'"


@pytest.mark.parametrize(
    ("flaw", "broken_by"),
    [
        ("none", "not in the audit trail"),
        ("state", "is confirmed"),
        ("sent", "was sent afterwards"),
        ("exception", "still has an exception"),
    ],
)
def test_a_discard_that_does_not_hold_is_a_violation(lived: tuple[World, Ended], flaw: str, broken_by: str) -> None:
    world, ended = lived
    resolution = "the difference is gone" if flaw == "exception" else "discarded: for ever"
    with exception(world, "I-1", resolution=resolution) as item:
        write = replace(said(world, "").write, request=replace(said(world, "").write.request, write_id=item.write_id))
        early = timedelta(days=99999) if flaw == "sent" else timedelta(0)
        world.worked.append(replace(worked(item, write, "discarded"), at=item.opened_at - early))
        try:
            with _discarded(world, item, keeps_state=flaw == "state"):
                told = [each.told for each in check(world, ended) if each.invariant == "discards_hold"]
        finally:
            world.worked.clear()

    expected = {"not in the audit trail", broken_by}
    assert {word for word in _DISCARD_WORDS if any(word in each for each in told)} == expected


_DISCARD_WORDS = ("not in the audit trail", "is confirmed", "was sent afterwards", "still has an exception")


@contextmanager
def _discarded(world: World, item: WorkItem, *, keeps_state: bool) -> Iterator[None]:
    with psycopg.connect(_libpq(world), autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        if not keeps_state:
            connection.execute(DISCARD.format("'refused'", "'discarded'", item.write_id))  # type: ignore[arg-type]
        try:
            yield
        finally:
            connection.execute(DISCARD.format("'confirmed'", "''", item.write_id))  # type: ignore[arg-type]


def test_what_was_let_go_again_and_stays_is_a_violation(lived: tuple[World, Ended]) -> None:
    world, ended = lived
    with exception(world, "I-1", kind="failed") as item:
        assert "releases_end" not in names(check(world, ended))
        with _ledger(
            world, f"UPDATE ledger.writes SET code = '{{}}' WHERE write_id = '{item.write_id}'", "released", ""
        ):
            assert "releases_end" in names(check(world, ended))


def test_a_customer_under_another_name_is_a_violation(lived: tuple[World, Ended]) -> None:
    def rename(world: World) -> None:
        change(world, "tryton", "party.party", books.parties(world)[0].record_id, name="Somebody else")

    assert "customers_agree" in broken(lived, rename)


def test_a_document_in_a_closed_month_is_a_violation(lived: tuple[World, Ended]) -> None:
    world, ended = lived
    move = next(m for m in rows(world, "tryton", "account.move") if m["id"] == a_posted(world)["move"])
    name = next(p["name"] for p in rows(world, "tryton", "account.period") if p["id"] == move["period"])
    world.periods.append((world.clock.now() - timedelta(days=9999), name, "closed"))

    try:
        assert "closed_periods_stay_closed" in names(check(world, ended))
    finally:
        world.periods.clear()


def asked(world: World, **values: Any) -> Asked:
    """One more request than there was: by default a write whose answer was lost."""
    body = b'{"params": [[{"code": "C-1"}], {}]}'
    lost = Asked(0, 1, world.clock.now(), "tryton", "POST", "model.party.party.create", body, True, {}, False)
    return replace(lost, keys={"party.party C-1": 1}, **values)


def sent(lived: tuple[World, Ended], *requests: Asked) -> set[str]:
    world, ended = lived
    kept = world.traffic.log
    world.traffic.log = [*kept, *requests]
    try:
        return names(check(world, ended))
    finally:
        world.traffic.log = kept


def test_a_write_that_is_sent_again_without_a_look_is_a_violation(lived: tuple[World, Ended]) -> None:
    world, _ = lived
    lost, look = asked(world), asked(world)
    body = b'{"method": "model.party.party.search_read", "params": [["code", "in", ["C-1"]]]}'
    look = replace(look, is_write=False, keys={}, status=200, is_whole=True, body=body)

    assert "nothing_is_sent_blindly" in sent(lived, lost, lost)
    assert "nothing_is_sent_blindly" in sent(lived, lost, replace(look, is_whole=False), lost)
    assert "nothing_is_sent_blindly" not in sent(lived, lost, look, lost)
    assert "nothing_is_sent_blindly" not in sent(lived, lost, replace(lost, is_recognised=True))
    assert "nothing_is_sent_blindly" not in sent(lived, replace(lost, is_whole=True, status=200), lost)


def test_more_than_two_looks_for_one_doubt_are_a_violation(lived: tuple[World, Ended]) -> None:
    world, _ = lived
    lost = asked(world)
    look = replace(lost, is_write=False, keys={}, status=200, is_whole=True, body=b'party.party "C-1"')

    assert "read_backs_are_few" not in sent(lived, lost, look, look)
    assert "read_backs_are_few" in sent(lived, lost, look, look, look)


def test_too_many_calls_are_a_violation(lived: tuple[World, Ended]) -> None:
    world, _ = lived
    look = replace(asked(world), is_write=False, keys={})

    assert "calls_are_bounded" in sent(lived, *[look] * 1000)


def test_storming_a_system_that_is_down_is_a_violation(lived: tuple[World, Ended]) -> None:
    world, _ = lived
    world.traffic.outages.append(("tryton", world.clock.now(), world.clock.now() + timedelta(hours=6)))

    try:
        assert "systems_that_are_down_are_left_alone" in sent(lived, *[replace(asked(world), is_write=False)] * 100)
    finally:
        world.traffic.outages.clear()


@pytest.mark.parametrize("ended", [Ended(5, 1, 0), Ended(5, 0, 2), Ended(5, 0, 0, "RetryLater")])
def test_a_peace_that_does_not_come_is_a_violation(lived: tuple[World, Ended], ended: Ended) -> None:
    assert "peace_comes" in names(check(lived[0], ended))


def test_a_cursor_that_goes_back_is_a_violation(lived: tuple[World, Ended]) -> None:
    world, ended = lived
    world.planes.db.execute("BEGIN")
    early = '{"at": "2020-01-01T00:00:00+00:00", "id": 1}'
    world.planes.db.execute(f"INSERT INTO lake.cursor_log VALUES ('tryton', 'party.party', '{early}', now(), 'r')")

    try:
        assert "cursors_go_forward" in names(check(world, ended))
    finally:
        world.planes.db.execute("ROLLBACK")


def test_a_doubt_that_stays_is_a_violation(lived: tuple[World, Ended]) -> None:
    with _ledger(lived[0], "UPDATE ledger.writes SET state = '{}'", "in_doubt", "confirmed"):
        assert "doubts_are_resolved" in names(check(*lived))


def test_an_edited_audit_entry_is_a_violation(lived: tuple[World, Ended]) -> None:
    with _ledger(lived[0], "UPDATE ledger.audit_entries SET actor = '{}' WHERE seq = 2", "somebody", "sync-pipelines"):
        assert "audit_is_whole" in names(check(*lived))


def test_a_call_that_nobody_announced_is_a_violation(lived: tuple[World, Ended]) -> None:
    assert "every_call_was_announced" in sent(lived, asked(lived[0]))


def test_business_with_another_organisation_is_a_violation(lived: tuple[World, Ended]) -> None:
    world, ended = lived
    world.strangers.append(("tryton", 0))

    try:
        assert "strangers_are_not_asked" in names(check(world, ended))
    finally:
        world.strangers.clear()


def test_a_document_sent_into_a_closed_month_is_a_violation_even_if_it_was_refused(lived: tuple[World, Ended]) -> None:
    world, ended = lived
    world.closings.extend((0, f"2026-{month:02d}", "closed") for month in range(1, 13))

    try:
        assert "closed_months_are_not_tried" in names(check(world, ended))
    finally:
        world.closings.clear()


def to_erp(world: World, method: str, *params: Any, number: int = 0) -> Asked:
    """A request that the ERP has answered."""
    body = json.dumps({"method": method, "params": [*params, {}]}).encode()
    return replace(asked(world), path=method, body=body, number=number, status=200, is_whole=True)


def test_a_document_sent_before_its_customer_is_a_violation(lived: tuple[World, Ended]) -> None:
    early = to_erp(lived[0], "model.sale.sale.create", [{"reference": "D-1", "party": -1}])

    assert "documents_name_their_customer" in sent(lived, early)


def test_overwriting_what_somebody_else_changed_unseen_is_a_violation(lived: tuple[World, Ended]) -> None:
    world, _ = lived
    now = len(world.traffic.log)
    change_it = to_erp(world, "model.party.party.write", [7], {"name": "Acme"}, number=now + 2)
    look = to_erp(world, "model.party.party.search_read", [["id", "in", [7]]], number=now + 1)
    look = replace(look, is_write=False, keys={}, answer=b'{"result":[{"id":7,"name":"by hand"}]}')
    world.edits.append((now, "tryton", "party.party,7"))

    try:
        assert "nothing_is_overwritten_unseen" in sent(lived, change_it)
        assert "nothing_is_overwritten_unseen" not in sent(lived, look, change_it)
    finally:
        world.edits.pop()


@pytest.mark.parametrize("values", [{"total_amount_cache": "1.01"}, {"invoice_date": "2026-11-30"}])
def test_a_document_of_ours_that_says_something_else_is_a_violation(
    lived: tuple[World, Ended], values: dict[str, Any]
) -> None:
    def alter(world: World) -> None:
        ours = next(
            row
            for row in rows(world, "tryton", "account.invoice")
            if row["state"] == "posted" and ("tryton", "account.invoice", str(row["id"])) not in world.seeded
        )
        change(world, "tryton", "account.invoice", str(ours["id"]), **values)

    assert "what_we_wrote_is_right" in broken(lived, alter)


def test_a_customer_in_billing_without_our_id_is_a_violation(lived: tuple[World, Ended]) -> None:
    def make(world: World) -> None:
        made = rows(world, "stripe", "customer")[0]
        late = world.clock.now().timestamp()
        world.boxes["stripe"].store.put(
            "customer", "cus_1", {**made, "id": "cus_1", "created": int(late), "metadata": {}}
        )

    assert "what_we_wrote_is_right" in broken(lived, make)


@pytest.mark.parametrize("reason", ["not in tryton", "a period is closed"])
def test_that_something_is_missing_is_no_reason_for_it(lived: tuple[World, Ended], reason: str) -> None:
    with _told(lived[0], ("invoice", "missing", "tryton", "", reason)):
        found = names(check(*lived))

    assert ("nothing_is_just_missing" in found) == (reason == "not in tryton")


@pytest.mark.parametrize("kind", ["ambiguous", "duplicate"])
def test_that_a_customer_differs_has_a_reason_while_somebody_is_asked_who_it_is(
    lived: tuple[World, Ended], kind: str
) -> None:
    lake = lived[0].planes.db
    lake.execute("CREATE TABLE lake.contract_stripe AS SELECT 'sub_1' AS record_id, 'cus_1' AS customer")
    differs = ("contract", "differs", "stripe", "sub_1", "customer differs")
    with _told(lived[0], differs, ("customer", kind, "stripe", "cus_1", "who is it?")):
        found = names(check(*lived))
    lake.execute("DROP TABLE lake.contract_stripe")

    assert ("nothing_is_just_missing" in found) == (kind == "duplicate")


@contextmanager
def _told(world: World, *items: tuple[str, str, str, str, str]) -> Iterator[None]:
    """The ledger with further exceptions: their domain, kind, system, record and reason."""
    insert = (
        "INSERT INTO ledger.work_items (fingerprint, domain, kind, system, record_id, reason, owner, label, evidence,"
        " opened_at, due_at, run_id) VALUES (%s, %s, %s, %s, %s, %s, 'finance', 'I-1', '{}', now(), now(), 'r')"
    )
    with psycopg.connect(_libpq(world), autocommit=True) as connection:
        for number, item in enumerate(items):
            connection.execute(insert, (f"told {number}", *item))
        try:
            yield
        finally:
            connection.execute("DELETE FROM ledger.work_items WHERE fingerprint LIKE 'told %'")


def test_what_hangs_on_a_deleted_account_untold_is_a_violation(lived: tuple[World, Ended]) -> None:
    def delete(world: World) -> None:
        for account in rows(world, "salesforce", "Account"):
            change(world, "salesforce", "Account", account["Id"], IsDeleted=True)

    assert "orphans_are_told" in broken(lived, delete)


def test_an_extraction_that_is_not_proven_is_a_violation(lived: tuple[World, Ended]) -> None:
    unproven = "UPDATE ledger.check_results SET result = '{}' WHERE name = 'complete'"
    with _ledger(lived[0], unproven, "not_checked", "passed"):
        assert "extractions_are_complete" in names(check(*lived))


def test_a_write_that_lacks_its_approval_is_a_violation(lived: tuple[World, Ended]) -> None:
    with _ledger(lived[0], "UPDATE ledger.writes SET approved_by_team = nullif('{}', '')", "controller", ""):
        assert "approvals_come_first" in names(check(*lived))


def said(world: World, decision: str, **request: Any) -> Said:
    """What a person has just said of a write like those that were sent."""
    write = Write(
        Request("w-1", "account.invoice", Operation.VOID, None, "I-1", {}), "invoice", "tryton", "l", "I-1", (), ""
    )
    write = replace(write, request=replace(write.request, **request))
    return Said(len(world.traffic.log), "dora", decision, write)


def credit(world: World, invoice_id: int) -> Asked:
    body = json.dumps({"method": "", "params": [1, {}, "credit", {"active_ids": [invoice_id]}]}).encode()
    number = len(world.traffic.log) + 1
    return replace(to_erp(world, "wizard.account.invoice.credit.execute", number=number), body=body)


@pytest.mark.parametrize(("words", "is_broken"), [([], True), (["approved"], False), (["approved", "rejected"], True)])
def test_an_invoice_that_is_voided_without_a_word_is_a_violation(
    lived: tuple[World, Ended], words: list[str], is_broken: bool
) -> None:
    world, _ = lived
    world.said.extend(said(world, word, record_id="7") for word in words)

    try:
        assert ("approvals_come_first" in sent(lived, credit(world, 7))) == is_broken
    finally:
        world.said.clear()


def test_a_large_invoice_that_was_made_without_a_word_is_a_violation(lived: tuple[World, Ended]) -> None:
    def enlarge(world: World) -> None:
        for row in rows(world, "tryton", "account.invoice"):
            change(world, "tryton", "account.invoice", str(row["id"]), total_amount_cache="1000000.00")

    assert "approvals_come_first" in broken(lived, enlarge)


APPROVAL = (
    "INSERT INTO ledger.approvals (plan_id, write_id, decision, team, decided_by, reason, at)"
    " SELECT plan_id, write_id, '{decision}', 'controller', '{by}', '', '2026-01-01' FROM ledger.writes"
    " WHERE domain = 'invoice' ORDER BY write_id LIMIT 1"
)


@contextmanager
def decided(world: World, decision: str, *, by: str = "dora") -> Iterator[None]:
    with psycopg.connect(_libpq(world), autocommit=True) as connection:
        connection.execute(APPROVAL.format(decision=decision, by=by))  # type: ignore[arg-type]
        try:
            yield
        finally:
            connection.execute("SET session_replication_role = replica")
            connection.execute("DELETE FROM ledger.approvals")


def test_sending_what_a_person_rejected_is_a_violation(lived: tuple[World, Ended]) -> None:
    with decided(lived[0], "approved"):
        assert "rejections_hold" not in names(check(*lived))
    with decided(lived[0], "rejected"):
        assert "rejections_hold" in names(check(*lived))


def test_a_word_of_which_nothing_is_on_record_is_a_violation(lived: tuple[World, Ended]) -> None:
    world, ended = lived
    world.said.append(said(world, "rejected"))

    try:
        assert "rejections_hold" in names(check(world, ended))
    finally:
        world.said.clear()


def test_asking_again_about_what_a_person_rejected_is_a_violation(lived: tuple[World, Ended]) -> None:
    world, ended = lived
    world.said.extend([said(world, "rejected"), said(world, "approved")])

    try:
        found = [each.told for each in check(world, ended) if each.invariant == "rejections_hold"]
    finally:
        world.said.clear()

    assert [told for told in found if "again" in told] == [
        "dora was asked about the void of I-1 again, which had been rejected"
    ]


@pytest.mark.parametrize(("by", "is_broken"), [("dora", False), ("chen", False), ("carla", True), ("sam", True)])
def test_an_approval_by_somebody_without_a_say_is_a_violation(
    lived: tuple[World, Ended], by: str, is_broken: bool
) -> None:
    with decided(lived[0], "approved", by=by):
        assert ("only_they_decide" in names(check(*lived))) == is_broken


def test_a_person_who_was_heard_against_the_rules_is_a_violation(lived: tuple[World, Ended]) -> None:
    world, ended = lived
    world.usurped.append("sam approved plan-1")

    try:
        assert "only_they_decide" in names(check(world, ended))
    finally:
        world.usurped.clear()


def test_what_was_approved_and_is_neither_written_nor_told_is_a_violation(lived: tuple[World, Ended]) -> None:
    with decided(lived[0], "approved"):
        assert "words_are_carried_out" not in names(check(*lived))
        with _ledger(lived[0], "UPDATE ledger.writes SET state = '{}'", "planned", "confirmed"):
            assert "words_are_carried_out" in names(check(*lived))


def void(world: World, *, with_refund: bool = True) -> dict[str, Any]:
    """The ERP voids one of its posted invoices."""
    row, wizards = a_posted(world), Wizards(people.erp(world).database)
    session, *_ = wizards.call(CREDIT, "create", [], {})
    start = {"start": {"with_refund": with_refund}}
    wizards.call(CREDIT, "execute", [session, start, "credit"], {"active_ids": [row["id"]]})
    return row


def credit_note(world: World) -> str:
    return str(max(row["id"] for row in rows(world, "tryton", "account.invoice")))


def void_and_alter(**values: Any) -> Break:
    def alter(world: World) -> None:
        void(world)
        change(world, "tryton", "account.invoice", credit_note(world), **values)

    return alter


def credit_twice(world: World) -> None:
    void(world, with_refund=False)
    void(world)


def test_a_credit_note_that_balances_its_invoice_is_none(lived: tuple[World, Ended]) -> None:
    assert "voids_balance" not in broken(lived, void)


@pytest.mark.parametrize(
    "how",
    [
        void_and_alter(total_amount_cache="-1.01"),
        void_and_alter(party=1),
        void_and_alter(move=None),
        credit_twice,
        lambda world: void(world, with_refund=False),
    ],
)
def test_a_void_that_does_not_balance_is_a_violation(lived: tuple[World, Ended], how: Break) -> None:
    assert "voids_balance" in broken(lived, how)


@contextmanager
def _ledger(world: World, statement: str, value: str, before: str) -> Iterator[None]:
    with psycopg.connect(_libpq(world), autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(statement.format(value))
        try:
            yield
        finally:
            connection.execute(statement.format(before))


def _libpq(world: World) -> str:
    return world.planes.url.replace("postgresql+psycopg://", "postgresql://")


def test_every_invariant_is_broken_by_a_test_of_this_file_or_of_those_about_a_fourth_system() -> None:
    files = ("test_invariant.py", "test_night_job.py", "test_other_books.py")
    text = "".join(Path(__file__).with_name(name).read_text() for name in files)

    assert [name for name in INVARIANTS if f'"{name}"' not in text] == []


def test_what_happened_twice_is_put_right_as_it_was_before_the_first_time(field: Field) -> None:
    topology = topology_of(field.topology_path, state=field.state)
    world = World.make(PEACE, field.ground.fresh(), topology=topology, injectors=injector.HAPPENINGS)
    with closing(world):
        org = people.crm(world).org
        before = org.schema
        for _ in range(2):
            assert injector.HAPPENINGS["F15.field_dropped"](world, Random(1))
        assert org.schema is not before

        world.make_peace()

        assert org.schema is before
