"""Questions about calls that go wrong: what is tried again, what is in doubt, and what a person has to mend."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from sync_pipelines.engine.port import Request, State
from sync_pipelines.errors import FixConfiguration, InDoubt, MalformedPage, RetryLater, SetAside, SyncError
from sync_pipelines.testing.conformance.asking import create, ids, question, read
from sync_pipelines.testing.facts import Facts, Fault, NotChecked

READ, LATER, CUT_OFF, MEND = "read", "to be tried later", "not whole", "to be mended by a person"


@question()
def a_throttled_read_is_tried_later_and_then_gives_everything(facts: Facts) -> str:
    return _in_each_form(facts, _throttled_read)


@question()
def a_throttled_write_stores_nothing_and_is_tried_later(facts: Facts) -> str:
    return _in_each_form(facts, _throttled_write)


@question()
def a_token_that_expires_between_two_pages_is_renewed(facts: Facts) -> str:
    most = facts.system.passport.page_max
    made = set(facts.put(*(f"token-{number}" for number in range(most + 1))))
    pages = facts.system.read(facts.object, facts.shape, None)
    seen = set(next(pages).record_ids)
    facts.strike(Fault.TOKEN_EXPIRED, times=1)
    seen |= set(ids(list(pages)))
    return f"{len(made - seen)} records were missed" if made - seen else ""


@question()
def credentials_that_are_refused_are_for_a_person(facts: Facts) -> str:
    facts.system.identity()
    facts.strike(Fault.TOKEN_EXPIRED)
    fate = _read_fate(facts)
    return "" if fate == MEND else f"the read is {fate}"


@question()
def no_message_tells_a_secret(facts: Facts) -> str:
    secrets = [secret for secret in facts.secrets() if secret]
    facts.system.identity()
    told: list[str] = []
    for fault in (Fault.TOKEN_EXPIRED, Fault.SERVER_ERROR, Fault.PAGE_FOR_PEOPLE, Fault.BODY_CUT_OFF):
        with suppress(NotChecked):
            facts.strike(fault)
            told.append(_message(facts))
    if not secrets or not told:
        raise NotChecked("no secrets are named, or nothing that could tell them")
    told.append(repr(facts.system))
    return "a message tells a secret" if any(secret in text for secret in secrets for text in told) else ""


def _message(facts: Facts) -> str:
    try:
        read(facts)
    except SyncError as error:
        return repr(error)
    return ""


@question()
def a_maintenance_page_puts_a_read_off(facts: Facts) -> str:
    return _put_off(facts, Fault.PAGE_FOR_PEOPLE)


@question()
def a_server_error_puts_a_read_off(facts: Facts) -> str:
    return _put_off(facts, Fault.SERVER_ERROR)


@question()
def a_page_that_was_cut_off_is_read_again_and_never_kept(facts: Facts) -> str:
    (record_id,) = facts.put("whole")
    facts.system.identity()
    facts.strike(Fault.BODY_CUT_OFF)
    if (fate := _read_fate(facts)) not in (CUT_OFF, LATER):
        return f"the read is {fate}"
    facts.calm()
    return "" if record_id in ids(read(facts)) else "a record was missed"


@question()
def a_version_that_was_retired_is_for_a_person_who_is_told_so(facts: Facts) -> str:
    facts.system.identity()
    facts.strike(Fault.VERSION_RETIRED)
    try:
        read(facts)
    except FixConfiguration as error:
        return "" if "version" in str(error).lower() else f"the message does not say it: {error}"
    except RetryLater:
        return f"the read is {LATER}"
    return "it was read"


@question()
def a_write_whose_reply_was_lost_is_there_once_and_not_called_failed(facts: Facts) -> str:
    return _told_in_doubt(facts, Fault.REPLY_LOST, held=1)


@question()
def a_write_whose_reply_was_cut_off_is_there_once_and_not_called_failed(facts: Facts) -> str:
    return _told_in_doubt(facts, Fault.BODY_CUT_OFF, held=1)


@question()
def a_write_that_met_a_server_error_is_in_doubt(facts: Facts) -> str:
    return _told_in_doubt(facts, Fault.SERVER_ERROR, held=0)


@question()
def a_write_that_met_a_maintenance_page_stores_nothing_and_is_not_called_refused(facts: Facts) -> str:
    facts.system.identity()
    request = create(facts, "page")
    facts.strike(Fault.PAGE_FOR_PEOPLE)
    fate = _write_fate(facts, request)
    if fate not in (State.IN_DOUBT, LATER, State.FAILED):
        return f"the write is {fate}"
    return "it was stored" if facts.held(request.external_id) else ""


def _told_in_doubt(facts: Facts, fault: Fault, *, held: int) -> str:
    """With every reply spoilt, no adapter can know what became of its write."""
    facts.system.identity()
    request = create(facts, "doubtful")
    facts.strike(fault, writes=True)
    fate = _write_fate(facts, request)
    facts.calm()
    if fate != State.IN_DOUBT:
        return f"the write is {fate}"
    made = facts.held(request.external_id)
    return "" if made == held else f"{made} records are there"


def _put_off(facts: Facts, fault: Fault) -> str:
    (record_id,) = facts.put("put off")
    facts.system.identity()
    facts.strike(fault)
    if (fate := _read_fate(facts)) != LATER:
        return f"the read is {fate}"
    facts.calm()
    return "" if record_id in ids(read(facts)) else "a record was missed"


def _in_each_form(facts: Facts, ask: Callable[[Facts, str], str]) -> str:
    facts.system.identity()
    forms = facts.throttles()
    if not forms:
        raise NotChecked("no form of throttling is named")
    told = {form: ask(facts, form) for form in forms}
    return "; ".join(f"{form}: {wrong}" for form, wrong in told.items() if wrong)


def _throttled_read(facts: Facts, form: str) -> str:
    (record_id,) = facts.put(f"read {form}")
    facts.strike(form)
    fate = _read_fate(facts)
    facts.calm()
    if fate != LATER:
        return f"the read is {fate}"
    return "" if record_id in ids(read(facts)) else "a record was missed"


def _throttled_write(facts: Facts, form: str) -> str:
    request = create(facts, f"write {form}")
    facts.strike(form)
    fate = _write_fate(facts, request)
    facts.calm()
    if fate not in (LATER, State.FAILED):
        return f"the write is {fate}"
    return "it was stored" if facts.held(request.external_id) else ""


def _read_fate(facts: Facts) -> str:
    try:
        read(facts)
    except RetryLater:
        return LATER
    except MalformedPage:
        return CUT_OFF
    except FixConfiguration:
        return MEND
    return READ


def _write_fate(facts: Facts, request: Request) -> str:
    try:
        (outcome,) = facts.system.write([request])
    except InDoubt:
        return State.IN_DOUBT
    except RetryLater:
        return LATER
    except SetAside:
        return State.REFUSED
    except FixConfiguration:
        return MEND
    return outcome.state
