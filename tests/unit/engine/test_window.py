"""Maintenance windows: open and closed by the wall clock of their zone, whatever the clock does that day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from sync_pipelines.engine.topology import Window
from sync_pipelines.engine.window import held_until

NEW_YORK, BERLIN, SYDNEY = "America/New_York", "Europe/Berlin", "Australia/Sydney"


def local(zone: str, *at: int, fold: int = 0) -> datetime:
    return datetime(*at, tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)  # type: ignore[arg-type,misc]


@pytest.mark.parametrize(
    ("day", "hour", "until"),
    [
        (20, 23, None),  # Friday
        (21, 21, None),
        (21, 22, (22, 2)),
        (22, 1, (22, 2)),
        (22, 2, None),
        (22, 22, (23, 2)),
        (23, 1, (23, 2)),
        (23, 22, None),
    ],
)
def test_a_window_goes_past_midnight_on_the_days_on_which_it_opens(
    day: int, hour: int, until: tuple[int, int] | None
) -> None:
    weekend = Window(opens="22:00", closes="02:00", zone=NEW_YORK, days=["sat", "sun"])

    found = held_until([weekend], local(NEW_YORK, 2026, 11, day, hour))

    assert found == (local(NEW_YORK, 2026, 11, *until) if until else None)


def test_a_window_without_days_opens_every_day_and_one_that_closes_later_the_same_day_stays_in_it() -> None:
    noon = Window(opens="12:00", closes="13:30", zone=BERLIN)

    for day in range(1, 8):
        assert held_until([noon], local(BERLIN, 2026, 6, day, 12, 15)) == local(BERLIN, 2026, 6, day, 13, 30)
        assert held_until([noon], local(BERLIN, 2026, 6, day, 13, 30)) is None


def test_windows_that_follow_at_once_are_one() -> None:
    first = Window(opens="20:00", closes="22:00", zone=BERLIN)
    second = Window(opens="21:30", closes="23:00", zone=BERLIN)

    assert held_until([second, first], local(BERLIN, 2026, 6, 1, 20, 5)) == local(BERLIN, 2026, 6, 1, 23)


def test_a_window_that_never_closes_is_told_with_an_end_all_the_same() -> None:
    always = Window(opens="00:00", closes="00:00", zone=BERLIN)
    now = local(BERLIN, 2026, 6, 1, 20)

    until = held_until([always], now)

    assert until is not None
    assert until > now + timedelta(days=2)


@pytest.mark.parametrize(
    ("zone", "spring", "autumn"),
    [
        (NEW_YORK, (2026, 3, 8), (2026, 11, 1)),
        (BERLIN, (2026, 3, 29), (2026, 10, 25)),
        (SYDNEY, (2026, 10, 4), (2026, 4, 5)),
    ],
)
def test_on_the_days_that_change_the_clock_a_window_is_one_stretch_and_covers_what_the_wall_clock_says(
    zone: str, spring: tuple[int, int, int], autumn: tuple[int, int, int]
) -> None:
    night = Window(opens="01:30", closes="02:30", zone=zone)

    for day in (spring, autumn):
        start = local(zone, *day)
        minutes = [start + timedelta(minutes=each) for each in range(0, 6 * 60, 5)]
        held = [held_until([night], minute) is not None for minute in minutes]
        said = [
            (1, 30) <= (clock.hour, clock.minute) < (2, 30) for clock in (m.astimezone(ZoneInfo(zone)) for m in minutes)
        ]

        assert held.count(True) >= said.count(True) > 0
        assert all(covered for covered, named in zip(held, said, strict=True) if named)
        assert sum(after and not before for before, after in zip([False, *held], held, strict=False)) == 1


def test_in_autumn_the_hour_that_comes_twice_is_held_both_times() -> None:
    night = Window(opens="01:00", closes="02:00", zone=NEW_YORK)

    for fold in (0, 1):
        assert held_until([night], local(NEW_YORK, 2026, 11, 1, 1, 30, fold=fold)) == datetime(
            2026, 11, 1, 7, tzinfo=UTC
        )
