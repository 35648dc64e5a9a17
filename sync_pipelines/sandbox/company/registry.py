"""Where new companies come from: names, tax ids, numbers and addresses, each given out once."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from random import Random

from sync_pipelines.sandbox.company.ids import Ids
from sync_pipelines.sandbox.company.model import Profile
from sync_pipelines.sandbox.company.words import BY_CODE, COUNTRIES, Country

_COINED = tuple(
    a + b + c
    for a in ("Za", "Qui", "Xe", "Zo", "Qua", "Xy")
    for b in ("vor", "lin", "tar", "mex", "pul", "rad")
    for c in ("iqo", "aro", "ent", "ula", "ox", "eum", "ivy", "ando")
)
"""Invented words: no other company's name looks like one of these."""


@dataclass
class Registry:
    """Gives out what belongs to one company alone; `accounts` and `parties` count the numbers given."""

    rng: Random
    ids: Ids
    names: dict[str, Iterator[tuple[str, str]]] = field(default_factory=dict)
    domains: set[str] = field(default_factory=set)
    tax_ids: set[str] = field(default_factory=set)
    accounts: int = 0
    parties: int = 1000
    coined: list[str] = field(default_factory=list)

    def country(self) -> Country:
        return self.rng.choices([c for c, _ in COUNTRIES], [weight for _, weight in COUNTRIES])[0]

    def found(self, country: Country | None = None, *, coined: bool = False) -> Profile:
        """A new company with everything that a CRM knows of it."""
        country = country or self.country()
        first, trade = self._name(country)
        if coined:
            self.coined = self.coined or self.rng.sample(_COINED, len(_COINED))
            first = self.coined.pop()
        domain = self.domain(f"{first}{trade}", country.tld)
        street, city, postal_code, phone = self.address(country)
        return Profile(
            number=self.number(),
            name=f"{first} {trade} {self.rng.choice(country.forms)}",
            tax_id=self.tax_id(country) if self.rng.random() < 0.93 else None,
            email=f"{self.rng.choice(('billing', 'ap', 'accounts', 'invoices'))}@{domain}",
            phone=phone if self.rng.random() < 0.95 else None,
            website=f"https://www.{domain}",
            street=street,
            city=city,
            postal_code=postal_code,
            country=country.code,
        )

    def taxed(self, *, coined: bool = False) -> Profile:
        """A new company that has a tax id; its name is an invented word on request."""
        company = self.found(coined=coined)
        country = BY_CODE[company.country]
        return replace(company, tax_id=company.tax_id or self.tax_id(country))

    def number(self) -> str:
        self.accounts += 1
        return f"C-{self.accounts:05d}"

    def party_code(self) -> str:
        """A code that the ERP gave by itself."""
        self.parties += self.rng.randint(1, 9)
        return f"P{self.parties}"

    def address(self, country: Country) -> tuple[str, str, str, str]:
        """Street, city, postal code and phone."""
        city, postal_code, phone = self.rng.choice(country.cities)
        street = country.street.format(n=self.rng.randint(1, 980), name=self.rng.choice(country.streets))
        return fill(street, self.rng), city, fill(postal_code, self.rng), fill(phone, self.rng)

    def _name(self, country: Country) -> tuple[str, str]:
        """First word and trade; the same two never come twice in one country."""
        pool = "|".join(country.beginnings[:1] + country.trades[:1])
        if pool not in self.names:
            self.names[pool] = _names(country, self.rng)
        return next(self.names[pool])

    def domain(self, name: str, tld: str) -> str:
        slug = "".join(c for c in unicodedata.normalize("NFKD", name.lower()) if c.isascii() and c.isalnum())
        domain, n = f"{slug}.{tld}", 2
        while domain in self.domains:
            domain, n = f"{slug}{n}.{tld}", n + 1
        self.domains.add(domain)
        return domain

    def tax_id(self, country: Country) -> str:
        while (tax_id := fill(country.tax_id, self.rng)) in self.tax_ids:
            pass
        self.tax_ids.add(tax_id)
        return tax_id


def _names(country: Country, rng: Random) -> Iterator[tuple[str, str]]:
    firsts = [
        beginning + ending
        for beginning in country.beginnings
        for ending in country.endings
        if beginning.lower() != ending
    ]
    rng.shuffle(firsts)
    offset = rng.randrange(len(country.trades))
    for round_ in range(len(country.trades)):
        for place, first in enumerate(firsts):
            yield first, country.trades[(place * 7 + round_ + offset) % len(country.trades)]


def fill(pattern: str, rng: Random) -> str:
    """A pattern of words.py with its digits and letters drawn."""
    draw: dict[str, Callable[[], str]] = {
        "#": lambda: rng.choice("0123456789"),
        "%": lambda: rng.choice("123456789"),
        "@": lambda: rng.choice("ABCDEFGHJKLMNPRSTUVWXY"),
    }
    return "".join(draw[c]() if c in draw else c for c in pattern)
