"""A vendor's API version comes to an end on a day that is known: it is told ahead, while there is time to move."""

from __future__ import annotations

from datetime import date

from sync_pipelines.engine.outcome import Check, Result
from sync_pipelines.engine.port import Passport

WARNED_DAYS = 90
"""How many days ahead a person is told."""


def notice(passport: Passport, *, on: date) -> str:
    """What a person has to know on a day about the version's end; empty while it is far off or unknown."""
    if passport.retires_on is None or not passport.retires_within(WARNED_DAYS, of=on):
        return ""
    days = (passport.retires_on - on).days
    when = f"in {days} days, on {passport.retires_on}" if days > 0 else f"since {passport.retires_on}"
    return f"API version {passport.api_version} may be refused {when}: install a release that speaks a newer one"


def version_is_supported(system: str, passport: Passport, *, on: date) -> tuple[Check, ...]:
    """The claim that the vendor will answer this version for a while yet; none where no end of it is known."""
    if passport.retires_on is None:
        return ()
    told = notice(passport, on=on)
    return (
        Check(
            name="version_is_supported",
            subject=system,
            claim=f"{system} answers API version {passport.api_version} for at least {WARNED_DAYS} more days.",
            result=Result.FAILED if told else Result.PASSED,
            reason=told,
        ),
    )
