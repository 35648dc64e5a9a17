"""Letters and digits that follow from what they stand for alone: identifiers of stand-ins that make up their own."""

from __future__ import annotations

from hashlib import blake2b

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def letters(length: int, *parts: object) -> str:
    """That many letters and digits, determined by the parts.

    >>> letters(8, "customer", 1) == letters(8, "customer", 1) != letters(8, "customer", 2)
    True
    """
    number = int.from_bytes(blake2b(repr(parts).encode(), digest_size=40).digest())
    drawn = []
    for _ in range(length):
        number, place = divmod(number, len(_ALPHABET))
        drawn.append(_ALPHABET[place])
    return "".join(drawn)
