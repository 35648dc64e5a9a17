"""Questions about what is written: each request once, found again, and told apart from what was refused."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from sync_pipelines.engine.port import Locking, Request, State
from sync_pipelines.errors import FixConfiguration, InDoubt, SetAside
from sync_pipelines.testing.conformance.asking import create, fetch, find, named, question, says, update
from sync_pipelines.testing.facts import Facts, NotChecked


@question("batch_max")
def a_batch_of_batch_max_is_stored_whole(facts: Facts) -> str:
    most = facts.system.passport.batch_max
    try:
        outcomes = facts.system.write([create(facts, f"batch-{number}") for number in range(most)])
    except (FixConfiguration, SetAside) as error:
        return f"a batch of {most} was refused: {error}"
    confirmed = sum(outcome.state is State.CONFIRMED for outcome in outcomes)
    return "" if confirmed == most else f"of a batch of {most} only {confirmed} records were stored"


@question()
def outcomes_come_in_the_order_of_their_requests(facts: Facts) -> str:
    requests = [create(facts, f"order-{number}") for number in range(min(3, facts.system.passport.batch_max))]
    outcomes = facts.system.write(requests)
    if [outcome.write_id for outcome in outcomes] != [request.write_id for request in requests]:
        return "the outcomes are not those of the requests, in their order"
    for number, outcome in enumerate(outcomes):
        if not says(fetch(facts, str(outcome.record_id)).payload, f"order-{number}"):
            return "an outcome names the record of another request"
    return ""


@question("batch_atomic")
def a_refused_record_takes_its_batch_along_where_that_is_claimed(facts: Facts) -> str:
    if facts.system.passport.batch_max == 1:
        raise NotChecked("a batch is one record")
    good = create(facts, "good")
    try:
        facts.system.write([good, create(facts, "bad", body=facts.refused("bad"))])
        refused_whole = False
    except SetAside:
        refused_whole = True
    held = facts.held(good.external_id)
    if facts.system.passport.batch_atomic:
        return "" if refused_whole and not held else "a good record was stored beside a refused one"
    return "" if held and not refused_whole else "a good record was refused together with a bad one"


@question()
def a_refusal_is_told_with_a_code_and_without_values(facts: Facts) -> str:
    facts.system.write([create(facts, "good")])
    request = create(facts, "Confidential Person", body=facts.refused("Confidential Person"))
    code, message = _refusal(facts, request)
    if not code:
        return "a record was refused without a code, or not at all"
    return f"the message quotes what was sent: {message}" if "Confidential" in message else ""


def _refusal(facts: Facts, request: Request) -> tuple[str, str]:
    try:
        (outcome,) = facts.system.write([request])
    except SetAside as refusal:
        return refusal.code, str(refusal)
    return (outcome.code, outcome.message) if outcome.state is State.REFUSED else ("", "")


@question("idempotency_seconds")
def a_repeat_under_the_same_key_makes_nothing_as_long_as_that_is_claimed(facts: Facts) -> str:
    passport = facts.system.passport
    if not passport.idempotency_seconds:
        raise NotChecked("the passport claims no idempotency keys")
    request = create(facts, "repeated")
    facts.system.write([request])
    facts.clock.sleep(max(0, passport.idempotency_seconds - passport.settling_seconds - 1))
    facts.system.write([request])
    made = facts.held(request.external_id)
    return "" if made == 1 else f"a repeat under the same key left {made} records"


@question("locking")
def a_stale_write_is_refused_as_drifted_where_that_is_claimed(facts: Facts) -> str:
    if facts.system.passport.locking is not Locking.NATIVE:
        raise NotChecked("the passport claims no lock of the system's own")
    (record_id,) = facts.put("locked")
    stale = fetch(facts, record_id).version
    facts.clock.sleep(2)
    facts.change(record_id, "changed")
    request = update(create(facts, "overwritten"), record_id, version=stale)
    try:
        (outcome,) = facts.system.write([request])
    except SetAside as refusal:
        return "" if refusal.code == "drifted" else f"a stale write was refused as {refusal.code}, not as drifted"
    return "" if outcome.code == "drifted" else "a write with a stale version was taken"


@question("keys")
def a_record_is_found_by_our_external_id(facts: Facts) -> str:
    if facts.system.passport.key_of(facts.object) is None:
        raise NotChecked(f"{facts.object} has no field for an external id")
    request = create(facts, "found")
    (outcome,) = facts.system.write([request])
    found = find(facts, request)
    return "" if found and found.record_id == outcome.record_id else "a record is not found by our external id"


@question("keys")
def our_external_id_is_in_the_field_that_the_passport_names(facts: Facts) -> str:
    key = facts.system.passport.key_of(facts.object)
    if key is None:
        raise NotChecked(f"{facts.object} has no field for an external id")
    request = create(facts, "carried")
    (outcome,) = facts.system.write([request])
    record_id, shape = str(outcome.record_id), {**facts.shape, key.partition(".")[0]: "VARCHAR"}
    payload = facts.system.fetch(facts.object, shape, [record_id])[record_id].payload
    carried = request.external_id in named(payload, key.rpartition(".")[2])
    return "" if carried else f"{key} does not carry it"


@question()
def an_update_changes_what_it_says_and_nothing_else(facts: Facts) -> str:
    if facts.system.passport.key_of(facts.object) is None:
        raise NotChecked(f"{facts.object} has no field for an external id")
    request = create(facts, "before")
    (outcome,) = facts.system.write([request])
    record_id = str(outcome.record_id)
    facts.clock.sleep(2)
    version = fetch(facts, record_id).version
    change = replace(update(request, record_id, version=version), write_id="w2", idempotency_key="key-2")
    (outcome,) = facts.system.write([replace(change, body=facts.renamed("after"))])
    if outcome.state is not State.CONFIRMED or not says(fetch(facts, record_id).payload, "after"):
        return f"the update was not carried out ({outcome.state} {outcome.code})"
    return "" if facts.held(request.external_id) == 1 else "the update took away the external id"


@question("settling_seconds")
def what_was_given_up_is_there_when_it_should_have_settled(facts: Facts) -> str:
    if facts.system.passport.key_of(facts.object) is None:
        raise NotChecked(f"{facts.object} has no field for an external id")
    request = create(facts, "settled")
    facts.lose()
    with suppress(InDoubt):
        facts.system.write([request])
    facts.clock.sleep(facts.system.passport.settling_seconds)
    return "" if find(facts, request) else "what was sent is not there when it should have settled"
