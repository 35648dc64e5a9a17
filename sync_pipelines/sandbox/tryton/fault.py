"""What the ERP refuses, in the forms of `trytond/exceptions.py`: each knows its array on the wire."""

from __future__ import annotations

from typing import Any


class Fault(Exception):
    """A call fails and leaves nothing behind.

    `wire` is what a JSON-RPC answer carries as its error, the text is what an HTTP error page shows.
    """

    def __init__(self, text: str, *wire: Any) -> None:
        super().__init__(text)
        self.wire = wire


class UserError(Fault):
    """The server means it: a rule of the business was broken."""

    def __init__(self, message: str) -> None:
        super().__init__(f"{message} - ", "UserError", [message, "", None])


class Warned(Fault):
    """A question to a person; it is not asked again once its name was noted in `res.user.warning`."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{message} - ", "UserWarning", [name, message, ""])


class Concurrency(Fault):
    """A record was changed by somebody else in the meantime."""

    def __init__(self) -> None:
        message = "Records were modified in the meanwhile"
        super().__init__(message, "ConcurrencyException", message)


class Login(Fault):
    """The log-in lacks something that the client should ask for."""

    def __init__(self, user: str) -> None:
        asked = ["password", f"Password for {user}", "password"]
        super().__init__(str(("LoginException", tuple(asked))), "LoginException", asked)


class Crash(Fault):
    """An exception that the server did not mean to raise: its text alone is told."""

    def __init__(self, text: str) -> None:
        super().__init__(text, text, "")


def unknown(name: str) -> Crash:
    """A field, model or operator that nobody has: the text of Python's `KeyError`."""
    return Crash(repr(name))
