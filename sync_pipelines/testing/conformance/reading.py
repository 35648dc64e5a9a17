"""Questions about what is read: whole, in order, once, and nothing missed at the cursor."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from sync_pipelines.engine.port import Counting, Deletes, Merges
from sync_pipelines.errors import FixConfiguration
from sync_pipelines.testing.conformance.asking import (
    deleted,
    fetch,
    ids,
    live,
    parsed,
    question,
    read,
    says,
    settled,
    stored,
)
from sync_pipelines.testing.facts import Facts, NotChecked


@question()
def the_organisation_is_told_the_same_each_time(facts: Facts) -> str:
    told = {facts.system.identity(), facts.system.identity()}
    return "" if len(told) == 1 and all(told) else "the identity is empty, or not the same when asked again"


@question()
def a_full_read_gives_each_record_once_with_its_declared_fields(facts: Facts) -> str:
    made = facts.put("one", "two", "three")
    pages = read(facts)
    columns = {(len(p.record_ids), len(p.versions), len(p.payloads), len(p.deleted)) for p in pages}
    if any(len(set(lengths)) > 1 for lengths in columns):
        return "the columns of a page are not of one length"
    if sorted(i for i in ids(pages) if i in made) != sorted(made):
        return "a record is missing, or comes twice"
    payloads = {i: p for page in pages for i, p in zip(page.record_ids, page.payloads, strict=True)}
    if not all(says(payloads[i], name) for i, name in zip(made, ("one", "two", "three"), strict=True)):
        return "a payload does not say what its record says"
    shown = {name for i in made for name in facts.shape if name in parsed(payloads[i])}
    return "" if shown else "no declared field is there"


@question()
def a_field_that_is_gone_is_refused_by_name_or_absent(facts: Facts) -> str:
    (record_id,) = facts.put("drifted")
    shape = {**facts.shape, "no_such_field": "VARCHAR"}
    try:
        pages = list(facts.system.read(facts.object, shape, None))
    except FixConfiguration as error:
        return "" if "no_such_field" in str(error) else f"the refusal does not name the field: {error}"
    payloads = {i: p for page in pages for i, p in zip(page.record_ids, page.payloads, strict=True)}
    return "a field that nobody has comes with a value" if "no_such_field" in parsed(payloads[record_id]) else ""


@question()
def an_object_that_nobody_has_is_refused_as_a_mistake_of_configuration(facts: Facts) -> str:
    try:
        pages = list(facts.system.read("no_such_object", {"id": "VARCHAR"}, None))
    except FixConfiguration:
        return ""
    return f"{len(pages)} pages come of an object that nobody has"


@question()
def a_fetch_gives_what_a_read_gave(facts: Facts) -> str:
    (record_id,) = facts.put("same")
    versions = {i: v for page in read(facts) for i, v in zip(page.record_ids, page.versions, strict=True)}
    if fetch(facts, record_id).version != versions[record_id]:
        return "a record that did not change has another version when it is fetched"
    return "" if says(fetch(facts, record_id).payload, "same") else "what was fetched is another record"


@question()
def more_records_than_a_page_holds_are_fetched_at_once(facts: Facts) -> str:
    made = facts.put(*(f"fetch-{number}" for number in range(facts.system.passport.page_max + 1)))
    missed = set(made) - facts.system.fetch(facts.object, facts.shape, made).keys()
    return f"{len(missed)} records of {len(made)} were missed" if missed else ""


@question()
def ids_and_a_full_read_agree(facts: Facts) -> str:
    _, _, gone = facts.put("kept", "also-kept", "gone")
    facts.delete(gone)
    pages = read(facts)
    present = set(ids(pages)) - set(deleted(pages))
    return "" if live(facts) == present else "the ids and a full read tell different records"


@question()
def only_what_changed_is_read_after_the_cursor(facts: Facts) -> str:
    (same,) = facts.put("same")
    facts.clock.sleep(facts.system.passport.overlap_seconds + 5)
    (changed,) = facts.put("to be changed")
    cursor = read(facts)[-1].cursor
    facts.clock.sleep(2)
    facts.change(changed, "changed")
    again = ids(read(facts, cursor))
    if changed not in again:
        return "a change was missed"
    return "a record that did not change was read again" if same in again else ""


@question()
def only_a_change_is_news(facts: Facts) -> str:
    (record_id,) = facts.put("news")
    cursor = stored(read(facts)[-1].cursor)
    facts.clock.sleep(facts.system.passport.overlap_seconds + 5)
    cursor = stored(read(facts, cursor)[-1].cursor)
    if facts.system.changed({facts.object: cursor}):
        return "nothing happened, and it is said to have changed"
    facts.clock.sleep(2)
    facts.change(record_id, "changed")
    return "" if facts.system.changed({facts.object: cursor}) else "a change is said to be none"


@question()
def a_read_that_broke_off_goes_on_though_all_changed_at_one_instant(facts: Facts) -> str:
    most = facts.system.passport.page_max
    made = set(facts.put(*(f"tie-{number}" for number in range(most + 1))))
    first = next(iter(facts.system.read(facts.object, facts.shape, None)))
    rest = read(facts, first.cursor)
    missed = made - set(first.record_ids) - set(ids(rest))
    return f"{len(missed)} records of {len(made)} were missed" if missed else ""


@question()
def nothing_is_lost_when_records_move_while_they_are_read(facts: Facts) -> str:
    most = facts.system.passport.page_max
    made = facts.put(*(f"move-{number}" for number in range(most + 2)))
    pages = facts.system.read(facts.object, facts.shape, None)
    seen = [next(pages)]
    first = [i for i in seen[0].record_ids if i in made]
    facts.clock.sleep(1)
    facts.delete(first[0])
    facts.change(first[-1], "moved")
    (new,) = facts.put("new")
    seen += list(pages)
    facts.clock.sleep(facts.system.passport.overlap_seconds + 1)
    seen += read(facts, seen[-1].cursor)
    missed = {*made, new} - {first[0]} - set(ids(seen))
    return f"{len(missed)} records of {len(made)} were missed" if missed else ""


@question()
def changes_around_midnight_and_clock_changes_are_read(facts: Facts) -> str:
    for turn in _turns(facts.clock.now(), ZoneInfo(facts.system.passport.zone)):
        facts.clock.sleep((turn - timedelta(minutes=30) - facts.clock.now()).total_seconds())
        facts.put(f"before {turn:%d %b}")
        cursor = read(facts)[-1].cursor
        facts.clock.sleep(3600)
        (after,) = facts.put(f"after {turn:%d %b}")
        if after not in ids(read(facts, cursor)):
            return f"a change half an hour after {turn} was missed"
    return ""


def _turns(now: datetime, zone: ZoneInfo) -> list[datetime]:
    """When a wall clock in the zone jumps in the next year, and before that a midnight."""
    first = now.replace(minute=0, second=0, microsecond=0)
    hours = [first + timedelta(hours=number) for number in range(2, 366 * 24)]
    midnight = next(hour for hour in hours if hour.astimezone(zone).hour == 0)
    offsets = [hour.astimezone(zone).utcoffset() for hour in hours]
    jumps = [hour for hour, (early, late) in zip(hours[1:], pairwise(offsets), strict=True) if early != late]
    return [midnight, *(jump for jump in jumps if jump - midnight > timedelta(hours=2))]


@question("page_max")
def a_page_holds_no_more_than_page_max(facts: Facts) -> str:
    most = facts.system.passport.page_max
    facts.put(*(f"page-{number}" for number in range(most + 1)))
    sizes = [len(page.record_ids) for page in read(facts)]
    if sum(sizes) <= most:
        return f"only {sum(sizes)} records of more than {most} were read"
    return f"a page holds {max(sizes)} records" if max(sizes) > most else ""


@question("late_seconds")
def a_change_that_becomes_visible_late_is_read(facts: Facts) -> str:
    facts.put("before")
    cursor = settled(facts)
    facts.clock.sleep(120)
    late, seconds = facts.put_late("late")
    facts.clock.sleep(min(facts.system.passport.overlap_seconds + 2, max(1, seconds - 1)))
    facts.put("newer")
    pages = read(facts, cursor)
    facts.clock.sleep(seconds)
    pages += read(facts, pages[-1].cursor)
    return "" if late in ids(pages) else f"a change that was visible after {seconds:.0f} s was missed"


@question("grain_seconds")
def changes_a_grain_apart_have_versions_of_their_own(facts: Facts) -> str:
    (record_id,) = facts.put("grain")
    before = fetch(facts, record_id).version
    facts.clock.sleep(facts.system.passport.grain_seconds)
    facts.change(record_id, "changed")
    same = before == fetch(facts, record_id).version
    return "two changes further apart than that have one version" if same else ""


@question("is_ordered")
def the_oldest_change_comes_first_where_that_is_claimed(facts: Facts) -> str:
    made = []
    for name in ("first", "second", "third"):
        made += facts.put(name)
        facts.clock.sleep(2)
    facts.change(made[0], "last")
    in_order = [i for i in ids(read(facts)) if i in made] == [*made[1:], made[0]]
    if facts.system.passport.is_ordered:
        return "" if in_order else "an older change comes after a newer one"
    return "the oldest change comes first" if in_order else ""


@question("deletes")
def a_delete_is_told_where_the_passport_says(facts: Facts) -> str:
    kept, gone = facts.put("kept", "gone")
    cursor = read(facts)[-1].cursor
    facts.clock.sleep(2)
    facts.delete(gone)
    present = live(facts)
    if gone in present or kept not in present:
        return "the ids don't tell which record was deleted"
    if facts.system.passport.deletes is Deletes.SWEEP or gone in deleted(read(facts, cursor)):
        return ""
    return "a delete did not come with what was read"


@question()
def a_deleted_record_is_no_longer_fetched(facts: Facts) -> str:
    (record_id,) = facts.put("gone")
    facts.delete(record_id)
    found = facts.system.fetch(facts.object, facts.shape, [record_id])
    return "a deleted record is given as if it were there" if record_id in found else ""


@question("merges")
def a_merged_record_names_the_one_that_took_its_place_where_that_is_claimed(facts: Facts) -> str:
    loser, survivor = facts.put("loser", "survivor")
    cursor = read(facts)[-1].cursor
    facts.clock.sleep(2)
    try:
        facts.merge(loser, survivor)
    except NotChecked as reason:
        if facts.system.passport.merges is Merges.UNSEEN:
            raise
        return f"merges are claimed, but {reason}"
    pages = read(facts, cursor)
    payloads = {i: p for page in pages for i, p in zip(page.record_ids, page.payloads, strict=True)}
    told = loser in deleted(pages) and survivor.encode() in payloads[loser]
    if facts.system.passport.merges is Merges.UNSEEN:
        return "a merge comes with what is read" if told else ""
    return "" if told else "a merged record does not come as deleted, with the one that took its place"


@question("counting")
def a_count_proves_what_the_passport_says(facts: Facts) -> str:
    before = facts.system.count(facts.object)
    facts.put("counted")
    after, claimed = facts.system.count(facts.object), facts.system.passport.counting
    if claimed is Counting.NONE:
        return "" if after is None else "the system counts"
    if before is None or after is None:
        return "the system does not count"
    return "a record is counted late" if claimed is Counting.EXACT and after - before != 1 else ""
