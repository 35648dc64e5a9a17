"""Extract: what changed arrives once, what is gone is noticed, and completeness is proven or not claimed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sync_pipelines.engine.extract import GATHERED_TIME, extract
from sync_pipelines.engine.outcome import Check, Extraction, Result
from sync_pipelines.engine.port import Counting, Cursor, Deletes, Page, Shape
from sync_pipelines.errors import FixConfiguration, RetryLater, Stop
from sync_pipelines.lake import Lake
from sync_pipelines.testing.memory import PASSPORT, MemorySystem

SHAPE = {"name": "VARCHAR"}


class TickingClock:
    """A second, or what is given, passes with every look."""

    def __init__(self, every: timedelta = timedelta(seconds=1)) -> None:
        self.at = datetime(2026, 11, 23, tzinfo=UTC)
        self.every = every

    def now(self) -> datetime:
        self.at += self.every
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class Forgetful(MemorySystem):
    """Its changes miss some records, as a search index that lags does."""

    missed: tuple[str, ...] = ()

    def read(self, object: str, shape: Shape, since: Cursor | None) -> Iterator[Page]:
        hidden = {
            i: self.records[object].pop(i) for i in self.missed if since is not None and i in self.records[object]
        }
        yield from super().read(object, shape, since)
        self.records[object] |= hidden


class Faltering(MemorySystem):
    """It is gone before it has given so many pages."""

    falters_at = 2

    def read(self, object: str, shape: Shape, since: Cursor | None) -> Iterator[Page]:
        for number, page in enumerate(super().read(object, shape, since)):
            if number == self.falters_at:
                raise RetryLater("it is gone")
            yield page


def system(*names: str, kind: type[MemorySystem] = MemorySystem, **passport: object) -> MemorySystem:
    """A system with an account for each name, whose id is the name."""
    made = kind(passport=replace(PASSPORT, **passport))
    for name in names:
        made.put("account", name, {"name": name})
    return made


CLOCK = TickingClock()


def extracted(
    lake: Lake,
    source: MemorySystem,
    *,
    prove: bool = True,
    shape: Shape = SHAPE,
    whole: bool = False,
    clock: TickingClock = CLOCK,
) -> Extraction:
    return extract(lake, source, object="account", shape=shape, run_id="r", clock=clock, prove=prove, whole=whole)


def check(told: Extraction, name: str) -> Check:
    return next(each for each in told.checks if each.name == name)


def live(lake: Lake) -> set[str]:
    return set(lake.live_ids("memory", "account"))


def commits(lake: Lake) -> int:
    """Each leaves the cursor that is true then."""
    return int(lake.row("SELECT count(*) FROM lake.cursor_log")[0])


def test_everything_is_read_at_first_and_only_changes_afterwards(lake: Lake) -> None:
    source = system("a", "b", "c")

    first = extracted(lake, source)
    source.put("account", "b", {"name": "B"})
    source.put("account", "d", {"name": "d"})
    then = extracted(lake, source)
    quiet = extracted(lake, source)

    assert [(each.read, each.appended) for each in (first, then, quiet)] == [(3, 3), (2, 2), (0, 0)]
    assert live(lake) == {"a", "b", "c", "d"}


class Stranger(MemorySystem):
    """Another system than it was, as far as its identity tells; `asked` are the calls before that was looked at."""

    asked: int | None = None

    def certain(self) -> None:
        self.asked = self.calls.total if self.asked is None else self.asked
        raise Stop("it is another one")


class Foreign(Stranger):
    """Another one that does not even know what is asked for."""

    def read(self, object: str, shape: Shape, since: Cursor | None) -> Iterator[Page]:
        raise FixConfiguration("there is no such object")
        yield


@pytest.mark.parametrize(("names", "kind"), [("abc", Stranger), ("", Stranger), ("", Foreign)])
def test_nothing_is_kept_of_a_system_that_is_another_one(lake: Lake, names: str, kind: type[Stranger]) -> None:
    source = system(*names, kind=kind)

    with pytest.raises(Stop, match="another one"):
        extract(
            lake, source, object="account", shape=SHAPE, run_id="r", clock=CLOCK, prove=True, certain=source.certain
        )

    assert (live(lake), commits(lake), lake.cursor("memory", "account")) == (set(), 0, None)


def test_whose_the_answers_are_is_asked_once_the_first_has_come_and_may_have_told_it(lake: Lake) -> None:
    source = system("a", kind=Stranger)

    with pytest.raises(Stop):
        extract(
            lake, source, object="account", shape=SHAPE, run_id="r", clock=CLOCK, prove=True, certain=source.certain
        )

    assert source.asked == 1


def test_calls_are_counted_by_extraction(lake: Lake) -> None:
    source = system("a", "b", "c")

    assert extracted(lake, source).calls == 3  # two pages and a count
    assert extracted(lake, source, prove=False).calls == 0


def test_small_pages_are_stored_together(lake: Lake) -> None:
    extracted(lake, system("a", "b", "c", "d", "e"))

    assert commits(lake) == 1
    assert live(lake) == {"a", "b", "c", "d", "e"}


def test_pages_that_take_long_to_read_are_stored_one_by_one(lake: Lake) -> None:
    extracted(lake, system("a", "b", "c", "d", "e"), clock=TickingClock(every=GATHERED_TIME))

    assert commits(lake) == 3


def test_what_came_before_a_failure_is_kept_with_its_cursor(lake: Lake) -> None:
    source = system("a", "b", "c", "d", "e", kind=Faltering)

    with pytest.raises(RetryLater):
        extracted(lake, source)
    kept = live(lake)
    source.falters_at = 9
    then = extracted(lake, source)

    assert kept == {"a", "b", "c", "d"}
    assert (then.read, then.appended) == (1, 1)


def test_a_page_that_is_read_again_is_no_news(lake: Lake) -> None:
    source = system("a", "b")
    extracted(lake, source)
    lake.db.execute("DELETE FROM lake.cursor_log")

    again = extracted(lake, source)

    assert (again.read, again.appended) == (2, 0)


def test_a_deleted_record_is_gone_and_its_last_payload_is_kept(lake: Lake) -> None:
    source = system("a", "b")
    extracted(lake, source)
    source.remove("account", "a")

    extracted(lake, source)

    assert live(lake) == {"b"}
    assert lake.rows("SELECT DISTINCT payload->>'name' FROM lake.record_log WHERE record_id = 'a'") == [("a",)]


def test_a_full_run_notices_by_sweeping_what_a_system_no_longer_has(lake: Lake) -> None:
    source = system("a", "b", deletes=Deletes.SWEEP)
    extracted(lake, source)
    del source.records["account"]["a"]

    incremental = extracted(lake, source, prove=False)
    full = extracted(lake, source)

    assert (incremental.deleted, full.deleted) == (0, 1)
    assert live(lake) == {"b"}
    assert check(full, "complete").result is Result.PASSED


def test_what_a_sweep_misses_is_asked_for_by_name_before_it_is_taken_for_gone(lake: Lake) -> None:
    source = system("a", "b", deletes=Deletes.SWEEP)
    extracted(lake, source)
    source.ids = lambda _: iter([["b"]])

    told = extracted(lake, source)

    assert told.deleted == 0
    assert live(lake) == {"a", "b"}


def test_a_purge_that_no_page_tells_of_is_found_by_the_count_and_then_by_its_absence(lake: Lake) -> None:
    source = system("a", "b")
    extracted(lake, source)
    del source.records["account"]["a"]

    told = extracted(lake, source)

    assert told.deleted == 1
    assert live(lake) == {"b"}
    assert check(told, "complete").result is Result.PASSED


def test_a_record_that_comes_back_lives_again(lake: Lake) -> None:
    source = system("a", deletes=Deletes.SWEEP)
    extracted(lake, source)
    gone = source.records["account"].pop("a")
    extracted(lake, source)
    source.put("account", "a", gone.fields)

    extracted(lake, source)

    assert live(lake) == {"a"}


def test_a_gap_against_an_exact_count_is_mended_by_reading_everything(lake: Lake) -> None:
    source = system("a", kind=Forgetful)
    extracted(lake, source)
    source.put("account", "b", {"name": "b"})
    source.missed = ("b",)

    told = extracted(lake, source)

    assert live(lake) == {"a", "b"}
    assert (check(told, "complete").result, told.held, told.counted) == (Result.PASSED, 2, 2)


def test_a_gap_that_stays_is_said_to_be_one(lake: Lake) -> None:
    source = system("a", "b")
    source.count = lambda _: 3

    gap = check(extracted(lake, source), "complete")

    assert (gap.result, gap.count, gap.reason) == (Result.FAILED, 1, "GAP: 2 held, 3 counted")


@pytest.mark.parametrize(
    ("counting", "counted", "result", "reason"),
    [
        (Counting.EXACT, 2, Result.PASSED, "2 held, 2 counted"),
        (Counting.LAGGING, 2, Result.PASSED, "2 held, 2 counted"),
        (Counting.LAGGING, 1, Result.NOT_CHECKED, "NOT PROVABLE: 2 held, 1 counted through a lagging index"),
        (Counting.NONE, None, Result.NOT_CHECKED, "NOT PROVABLE: memory offers no independent count"),
    ],
)
def test_completeness_is_claimed_only_as_far_as_a_count_proves_it(
    lake: Lake, counting: Counting, counted: int | None, result: Result, reason: str
) -> None:
    source = system("a", "b", counting=counting)
    source.count = lambda _: counted

    complete = check(extracted(lake, source), "complete")

    assert (complete.result, complete.reason) == (result, reason)


def test_an_incremental_run_proves_nothing_and_says_so(lake: Lake) -> None:
    complete = check(extracted(lake, system("a"), prove=False), "complete")

    assert complete.result is Result.NOT_CHECKED
    assert "next full run" in complete.reason


def test_a_declared_field_that_no_record_carries_any_more_is_noticed(lake: Lake) -> None:
    source = system("a", "b")

    fits = check(extracted(lake, source), "fits_declared_shape")
    for each in "ab":
        source.put("account", each, {"renamed": each})
    lost = check(extracted(lake, source), "fits_declared_shape")
    empty = check(extracted(lake, MemorySystem(name="other")), "fits_declared_shape")

    assert (fits.result, lost.result, empty.result) == (Result.PASSED, Result.FAILED, Result.NOT_CHECKED)
    assert lost.sample == ({"field": "name"},)


def test_of_a_declared_field_that_no_record_has_carried_so_far_nothing_is_claimed(lake: Lake) -> None:
    unseen = check(extracted(lake, system("a"), shape={**SHAPE, "city": "VARCHAR"}), "fits_declared_shape")

    assert (unseen.result, unseen.reason) == (Result.NOT_CHECKED, "no record has carried city so far")


def test_a_field_that_moved_without_its_time_of_change_is_seen_when_the_object_is_read_whole(lake: Lake) -> None:
    source = system("a", "b")
    extracted(lake, source)
    source.records["account"]["a"].fields["name"] = "computed anew"

    later = extracted(lake, source)
    whole = extracted(lake, source, whole=True)

    assert (later.read, later.appended, later.is_whole) == (0, 0, False)
    assert (whole.read, whole.appended, whole.is_whole) == (2, 1, True)
