"""Identifiers as the vendors make them, derived from the seed and the thing they name."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def base62(number: int, width: int) -> str:
    """A number in the digits 0-9A-Za-z, padded with zeros.

    >>> base62(62 * 62 + 61, 5)
    '0010z'
    """
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 62)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))


def case_safe(id15: str) -> str:
    """The 18-character form of a Salesforce id: three letters say which of the fifteen are capitals.

    >>> case_safe("001Hs00002AbCdE")
    '001Hs00002AbCdEIAV'
    """
    suffix = ""
    for chunk in (id15[0:5], id15[5:10], id15[10:15]):
        suffix += _SUFFIX[sum(1 << place for place, letter in enumerate(chunk) if "A" <= letter <= "Z")]
    return id15 + suffix


@dataclass(frozen=True, slots=True)
class Ids:
    """The identifiers of one simulated company; another seed gives others."""

    seed: int

    def salesforce(self, prefix: str, index: int) -> str:
        """An 18-character id; rising indexes give rising ids."""
        pod = _ALPHABET[10 + self.seed % 26] + _ALPHABET[36 + self.seed // 26 % 26]
        return case_safe(f"{prefix}{pod}0000{base62(10_000_000 + 7 * index, 6)}")

    def stripe(self, prefix: str, *names: object) -> str:
        """A prefixed id of 14 letters and digits ("cus_…")."""
        return f"{prefix}_{base62(self._number(prefix, *names), 14)}"

    def invoice_prefix(self, name: str) -> str:
        """The eight capitals and digits with which a customer's invoice numbers begin."""
        return f"{self._number('prefix', name) % 16**8:08X}"

    def _number(self, *names: object) -> int:
        text = "|".join(map(str, (self.seed, *names)))
        return int.from_bytes(blake2b(text.encode(), digest_size=12).digest(), "big")
