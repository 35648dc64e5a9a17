"""The building blocks of a domain: fields, their kinds, and how values of a kind are compared."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a field holds; the kind decides storage, validation and comparison."""

    TEXT = "text"
    CODE = "code"
    """A business key: compared without case and surrounding blanks."""
    EMAIL = "email"
    PHONE = "phone"
    """Compared by its digits."""
    CHOICE = "choice"
    FLAG = "flag"
    DATE = "date"
    """A business date in the legal entity's zone."""
    MONEY = "money"
    """Integer minor units of the currency in the record's `currency` field."""
    CURRENCY = "currency"
    QUANTITY = "quantity"
    """An exact decimal with up to four places."""
    REFERENCE = "reference"
    """The record id, in the same system, of a record of another domain."""
    LINES = "lines"
    """A document's lines as a JSON array in canonical form; see `Line`."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a domain. `tolerance_minor` applies to MONEY; `choices` to CHOICE.

    `personal` marks what may tell of a person; e-mail addresses and phone numbers always do.
    """

    name: str
    kind: Kind
    required: bool = False
    choices: tuple[str, ...] = ()
    refers_to: str = ""
    tolerance_minor: int = 0
    personal: bool = False

    @property
    def is_personal(self) -> bool:
        return self.personal or self.kind in {Kind.EMAIL, Kind.PHONE}


@dataclass(frozen=True, slots=True)
class Domain:
    """One of the seven domains.

    `key` are the fields that identify a record in business terms. `amount` names the field that says what
    a record is worth; where `dated` names a business date too, control totals are taken per currency and
    period over the records for which `counts_when` (SQL over the fields) holds. `ledger` names the ledger that
    such records are posted in, so that its periods decide about them; it is empty where nothing is posted. For
    documents `open_when` says which are still in force; money moves when such a one gets another party. A record is
    voided only after the documents of the domains `voided_after` that belong to the same deal.
    """

    name: str
    fields: tuple[Field, ...]
    key: tuple[str, ...]
    amount: str = ""
    dated: str = ""
    counts_when: str = "true"
    ledger: str = ""
    open_when: str = ""
    voided_after: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Field:
        for candidate in self.fields:
            if candidate.name == name:
                return candidate
        raise KeyError(f"the {self.name} domain has no field {name!r}")

    @property
    def references(self) -> tuple[Field, ...]:
        return tuple(field for field in self.fields if field.kind is Kind.REFERENCE)
