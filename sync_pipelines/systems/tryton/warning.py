"""Warnings of Tryton: what a user of its own screens is asked once for each record, and has to say beforehand here."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from sync_pipelines.systems.tryton.session import Server

NO_DEFAULT_TAXES = "invoice_taxes"
"""An invoice's lines don't carry the taxes that their products and the customer's rule would give."""
FIRST_MADE = -1
"""Stands for the first record of an object that the call itself makes."""


def acknowledge(server: Server, object: str, ids: Sequence[int], warning: str) -> None:
    """Say that a warning is known for these records; the server takes each word once."""
    user = server.user_id()
    names = [warning_name(object, record_id, warning) for record_id in ids]
    server.tell("res.user.warning", "create", [{"user": user, "name": name} for name in names])


def warning_name(object: str, record_id: int, warning: str) -> str:
    """The name by which the server knows that a user has read a warning about a record.

    It is made as in trytond 8.0, `res/user.py`, `Warning_.format`: records that the transaction has made itself are
    numbered from -1 downwards.
    """
    return f"{hashlib.md5(f'{object},{record_id}'.encode()).hexdigest()}.{warning}"
