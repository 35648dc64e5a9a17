"""How the same company's name comes to be written another way."""

from __future__ import annotations

from random import Random

_FORMS = {
    "Inc": "Incorporated",
    "LLC": "L.L.C.",
    "Corp": "Corporation",
    "Ltd": "Limited",
    "plc": "P.L.C.",
    "Pty Ltd": "Pty Limited",
    "GmbH": "G.m.b.H.",
    "GmbH & Co. KG": "GmbH u. Co. KG",
    "AG": "A.G.",
    "SAS": "S.A.S.",
    "SA": "S.A.",
    "SARL": "S.à r.l.",
    "B.V.": "BV",
    "N.V.": "NV",
    "DAC": "D.A.C.",
    "S.L.": "SL",
    "S.A.": "SA",
    "K.K.": "KK",
    "Co., Ltd.": "Co Ltd",
}
_SHORT = {
    "International": "Intl.",
    "Logistics": "Logist.",
    "Software": "SW",
    "Maschinenbau": "Masch.bau",
    "Medizintechnik": "Med.technik",
    "Insurance": "Ins.",
}


def other_form(name: str, rng: Random) -> str:
    """The legal form written differently; still plainly the same name.

    >>> other_form("Brückhof Maschinenbau GmbH", Random(1))
    'Brückhof Maschinenbau G.m.b.H.'
    """
    for form in sorted(_FORMS, key=len, reverse=True):
        if name.endswith(" " + form):
            return name.removesuffix(form) + _FORMS[form]
    return capitals(name, rng)


def capitals(name: str, rng: Random) -> str:
    return name.upper()


def typo(name: str, rng: Random) -> str:
    """One letter lost from the middle of the longest word."""
    word = max(name.split(), key=len)
    at = rng.randrange(len(word) // 2, len(word) - 1)
    return name.replace(word, word[:at] + word[at + 1 :], 1)


def abbreviation(name: str, rng: Random) -> str:
    """The trade cut short."""
    words = name.split()
    words[1] = _SHORT.get(words[1], words[1][:4] + ".")
    return " ".join(words)


MILD = (other_form, typo, capitals)
"""Spellings in which name and address alone still prove who it is."""

ANY = (*MILD, abbreviation)


def lookalike(name: str) -> str:
    """The name of another company that is easily taken for this one.

    >>> lookalike("Silverhaven Freight Inc"), lookalike("Bergfeld Optik GmbH")
    ('Silverhavens Freight Inc', 'Bergfelds Optik GmbH')
    """
    first, rest = name.split(" ", 1)
    return f"{first}s {rest}"
