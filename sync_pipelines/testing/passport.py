"""Does a passport tell the truth? Asks a system about each claim, and returns what it found.

Each claim is probed on a fresh system, with hooks for what has to happen behind the adapter's back. A hook that a
system has no way to offer raises `NotImplementedError`: the claim is then not checked, which is no pass.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sync_pipelines.engine.outcome import Result
from sync_pipelines.engine.port import (
    Counting,
    Cursor,
    Deletes,
    Found,
    Locking,
    Merges,
    Operation,
    Page,
    Request,
    State,
)
from sync_pipelines.errors import FixConfiguration, InDoubt, SetAside
from sync_pipelines.testing.facts import Facts


@dataclass(frozen=True, slots=True)
class Probed:
    """One claim of a passport, and whether the system bears it out."""

    claim: str
    result: Result
    told: str = ""


def probe(new: Callable[[], Facts], *, only: Collection[str] = ()) -> list[Probed]:
    """Every claim that can be probed, or some of them, each on the fresh system that `new` gives."""
    return [_probed(claim, ask, new()) for claim, ask in _PROBES.items() if not only or claim in only]


def lies(new: Callable[[], Facts], *, only: Collection[str] = ()) -> list[Probed]:
    """The claims that are not true."""
    return [each for each in probe(new, only=only) if each.result is Result.FAILED]


def _probed(claim: str, ask: Callable[[Facts], str], facts: Facts) -> Probed:
    try:
        told = ask(facts)
    except NotImplementedError:
        return Probed(claim, Result.NOT_CHECKED, "this cannot be brought about")
    return Probed(claim, Result.FAILED if told else Result.PASSED, told)


def _page_max(facts: Facts) -> str:
    most = facts.system.passport.page_max
    facts.put(*(f"page-{number}" for number in range(most + 1)))
    sizes = [len(page.record_ids) for page in _read(facts, None)]
    if sum(sizes) <= most:
        return f"only {sum(sizes)} records of more than {most} were read"
    return f"a page holds {max(sizes)} records" if max(sizes) > most else ""


def _late_seconds(facts: Facts) -> str:
    facts.put("before")
    cursor = _read(facts, None)[-1].cursor
    late, seconds = facts.put_late("late")
    facts.clock.sleep(min(facts.system.passport.overlap_seconds + 2, max(1, seconds - 1)))
    facts.put("newer")
    pages = _read(facts, cursor)
    facts.clock.sleep(seconds)
    pages += _read(facts, pages[-1].cursor)
    return "" if late in _ids(pages) else f"a change that was visible after {seconds:.0f} s was missed"


def _grain_seconds(facts: Facts) -> str:
    (record_id,) = facts.put("grain")
    before = _fetch(facts, record_id).version
    facts.clock.sleep(facts.system.passport.grain_seconds)
    facts.change(record_id, "changed")
    return "two changes further apart than that have one version" if before == _fetch(facts, record_id).version else ""


def _is_ordered(facts: Facts) -> str:
    if not facts.system.passport.is_ordered:
        return ""
    made = []
    for name in ("first", "second", "third"):
        made += facts.put(name)
        facts.clock.sleep(2)
    facts.change(made[0], "last")
    read = [record_id for record_id in _ids(_read(facts, None)) if record_id in made]
    return "" if read == [*made[1:], made[0]] else "an older change comes after a newer one"


def _deletes(facts: Facts) -> str:
    kept, gone = facts.put("kept", "gone")
    cursor = _read(facts, None)[-1].cursor
    facts.clock.sleep(2)
    facts.delete(gone)
    live = {record_id for ids in facts.system.ids(facts.object) for record_id in ids}
    if gone in live or kept not in live:
        return "the ids don't tell which record was deleted"
    if facts.system.passport.deletes is Deletes.SWEEP or gone in _deleted(_read(facts, cursor)):
        return ""
    return "a delete did not come with what was read"


def _merges(facts: Facts) -> str:
    if facts.system.passport.merges is Merges.UNSEEN:
        return ""
    loser, survivor = facts.put("loser", "survivor")
    cursor = _read(facts, None)[-1].cursor
    facts.clock.sleep(2)
    facts.merge(loser, survivor)
    pages = _read(facts, cursor)
    payloads = {i: p for page in pages for i, p in zip(page.record_ids, page.payloads, strict=True)}
    told = loser in _deleted(pages) and survivor.encode() in payloads[loser]
    return "" if told else "a merged record does not come as deleted, with the one that took its place"


def _counting(facts: Facts) -> str:
    before = facts.system.count(facts.object)
    facts.put("counted")
    after, claimed = facts.system.count(facts.object), facts.system.passport.counting
    if claimed is Counting.NONE:
        return "" if after is None else "the system counts"
    if before is None or after is None:
        return "the system does not count"
    return "a record is counted late" if claimed is Counting.EXACT and after - before != 1 else ""


def _batch_max(facts: Facts) -> str:
    most = facts.system.passport.batch_max
    try:
        outcomes = facts.system.write([_create(facts, f"batch-{number}") for number in range(most)])
    except (FixConfiguration, SetAside) as error:
        return f"a batch of {most} was refused: {error}"
    stored = sum(outcome.state is State.CONFIRMED for outcome in outcomes)
    return "" if stored == most else f"of a batch of {most} only {stored} records were stored"


def _batch_atomic(facts: Facts) -> str:
    good = _create(facts, "good")
    try:
        facts.system.write([good, _create(facts, "bad", body=facts.refused("bad"))])
        refused_whole = False
    except SetAside:
        refused_whole = True
    stored = facts.held(good.external_id)
    if facts.system.passport.batch_atomic:
        return "" if refused_whole and not stored else "a good record was stored beside a refused one"
    return "" if stored and not refused_whole else "a good record was refused together with a bad one"


def _idempotency_seconds(facts: Facts) -> str:
    passport = facts.system.passport
    if not passport.idempotency_seconds:
        return ""
    request = _create(facts, "repeated")
    facts.system.write([request])
    facts.clock.sleep(max(0, passport.idempotency_seconds - passport.settling_seconds - 1))
    facts.system.write([request])
    made = facts.held(request.external_id)
    return "" if made == 1 else f"a repeat under the same key left {made} records"


def _locking(facts: Facts) -> str:
    if facts.system.passport.locking is not Locking.NATIVE:
        return ""
    (record_id,) = facts.put("locked")
    stale = _fetch(facts, record_id).version
    facts.clock.sleep(2)
    facts.change(record_id, "changed")
    request = _create(facts, "overwritten", record_id=record_id, version=stale)
    try:
        (outcome,) = facts.system.write([request])
    except SetAside as refusal:
        return "" if refusal.code == "drifted" else f"a stale write was refused as {refusal.code}, not as drifted"
    return "" if outcome.code == "drifted" else "a write with a stale version was taken"


def _keys(facts: Facts) -> str:
    if facts.system.passport.key_of(facts.object) is None:
        return ""
    request = _create(facts, "found")
    (outcome,) = facts.system.write([request])
    found = _find(facts, request)
    return "" if found and found.record_id == outcome.record_id else "a record is not found by our external id"


def _settling_seconds(facts: Facts) -> str:
    if facts.system.passport.key_of(facts.object) is None:
        return ""
    request = _create(facts, "settled")
    facts.lose()
    with suppress(InDoubt):
        facts.system.write([request])
    facts.clock.sleep(facts.system.passport.settling_seconds)
    return "" if _find(facts, request) else "what was sent is not there when it should have settled"


_PROBES: Mapping[str, Callable[[Facts], str]] = {
    "page_max": _page_max,
    "late_seconds": _late_seconds,
    "grain_seconds": _grain_seconds,
    "is_ordered": _is_ordered,
    "deletes": _deletes,
    "merges": _merges,
    "counting": _counting,
    "batch_max": _batch_max,
    "batch_atomic": _batch_atomic,
    "idempotency_seconds": _idempotency_seconds,
    "locking": _locking,
    "keys": _keys,
    "settling_seconds": _settling_seconds,
}
"""What a system can be asked. Its rate, its zone and its API version's end are the vendor's word."""


def _read(facts: Facts, since: Cursor | None) -> list[Page]:
    """What is read, with an empty page where there is nothing, which leaves the cursor where it is."""
    pages = list(facts.system.read(facts.object, facts.shape, since))
    return pages or [Page((), (), (), (), since or {})]


def _ids(pages: list[Page]) -> list[str]:
    return [record_id for page in pages for record_id in page.record_ids]


def _deleted(pages: list[Page]) -> Iterator[str]:
    return (i for page in pages for i, gone in zip(page.record_ids, page.deleted, strict=True) if gone)


def _fetch(facts: Facts, record_id: str) -> Found:
    return facts.system.fetch(facts.object, facts.shape, [record_id])[record_id]


def _find(facts: Facts, request: Request) -> Found | None:
    return facts.system.find(facts.object, [request.external_id]).get(request.external_id)


def _create(
    facts: Facts,
    name: str,
    *,
    body: Mapping[str, Any] | None = None,
    record_id: str | None = None,
    version: str | None = None,
) -> Request:
    return Request(
        write_id=f"write-{name}",
        object=facts.object,
        operation=Operation.UPDATE if record_id else Operation.CREATE,
        record_id=record_id,
        external_id=f"probe-{name}",
        body=facts.body(name) if body is None else body,
        idempotency_key=f"key-{name}",
        expected_version=version,
    )
