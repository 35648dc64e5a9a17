"""Record ids: 15 case-sensitive characters, or 18 with a suffix that survives a loss of case."""

from __future__ import annotations

import re

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_SHAPE = re.compile(r"[0-9A-Za-z]{15}(?:[A-Z0-5]{3})?", re.ASCII)
_POD = "Hs"


def long_id(short: str) -> str:
    """The 18-character form of a 15-character id.

    Each of the three last characters tells which of five characters are capitals.

    >>> long_id("001Hs00002AbCdE")
    '001Hs00002AbCdEIAV'
    """
    suffix = ""
    for start in (0, 5, 10):
        chunk = short[start : start + 5]
        suffix += _SUFFIX[sum(1 << bit for bit, letter in enumerate(chunk) if "A" <= letter <= "Z")]
    return short + suffix


def as_long_id(text: object) -> str | None:
    """An id of either length in its 18-character form; None for what is no id.

    >>> as_long_id("001Hs00002AbCdEIAV")
    '001Hs00002AbCdEIAV'
    >>> as_long_id("ACME-1") is None
    True
    """
    if not isinstance(text, str) or not _SHAPE.fullmatch(text):
        return None
    whole = long_id(text[:15])
    return whole if text in (whole, whole[:15]) else None


def record_id(prefix: str, number: int) -> str:
    """The n-th id of an object in this org, 18 characters; ids sort like their numbers.

    >>> record_id("001", 62)
    '001Hs0000000010IAA'
    """
    digits = ""
    while number:
        number, rest = divmod(number, 62)
        digits = _DIGITS[rest] + digits
    return long_id(f"{prefix}{_POD}{digits:0>10}")


def number_of(record: str) -> int:
    """The number behind an id that `record_id` made; 0 for an id from elsewhere."""
    if record[3:5] != _POD:
        return 0
    number = 0
    for letter in record[5:15]:
        number = number * 62 + _DIGITS.index(letter)
    return number
