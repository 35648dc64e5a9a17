"""Errors, named by what the caller should do next."""

from __future__ import annotations

from collections.abc import Iterable


class SyncError(Exception):
    """Anything this product raises on purpose; its text says what, which record, and what to do."""


class FixConfiguration(SyncError):
    """A person has to change credentials, the topology, a mapping or a right; retrying can't help."""

    @classmethod
    def of(cls, what: str, problems: Iterable[str]) -> FixConfiguration:
        """Several problems at once, a line each."""
        return cls("\n".join([f"{what}:", *(f"  - {problem}" for problem in problems)]))


class RetryLater(SyncError):
    """The system did nothing and asks for patience (throttle, lock, maintenance, outage).

    `after` is the number of seconds the system asked for, or None where it gave no hint.
    Nothing was committed: the same call may be sent again.
    """

    def __init__(self, message: str, *, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class InDoubt(SyncError):
    """A write left, and no reply said whether it was committed: read back before any retry."""


class SetAside(SyncError):
    """The system refuses this record for what it says; the rest of the batch goes on.

    `code` is the vendor's own word for the reason, `fields` the fields it names.
    """

    def __init__(self, message: str, *, code: str = "", fields: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.fields = fields


class MalformedPage(SyncError):
    """A page could not be read whole; nothing of it was kept, and the cursor stays before it."""


class Stop(SyncError):
    """Going on could do damage (another organisation behind the credentials, a plan that was edited)."""
