"""What this system is and allows; what no page of the vendor states is an assumption, and can be set."""

from __future__ import annotations

import msgspec


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`sid` and `client` name the system, and the cookie of a session with them."""

    user: str = "SYNC"
    password: str = "sandbox-password"
    sid: str = "S4H"
    client: str = "100"
    zone: str = "Europe/Berlin"
    """The system's time zone, in which business partners tell when they were changed."""
    session_seconds: int = 1800
    """An assumption: after so long without a call a session and its token end."""
    page_max: int = 5000
    """An assumption: entities in one answer."""
    stamps_new: bool = False
    """An assumption: whether a new business partner has a time of change beside that of its creation."""
    children_touch: bool = True
    """An assumption: whether a change to an address or a tax number changes its business partner's time, too."""
    capitals: bool = True
    """An assumption: whether the system itself turns letters into capitals where the metadata say UpperCase."""
    first_number: int = 10_000_001

    @property
    def cookie(self) -> str:
        return f"SAP_SESSIONID_{self.sid}_{self.client}"
