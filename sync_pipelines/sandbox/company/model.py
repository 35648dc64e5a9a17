"""The facts behind the stand-ins: who buys what, before any system tells its own story of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from sync_pipelines.sandbox.company.defects import Kind
from sync_pipelines.sandbox.erp.books import VAT_COUNTRIES


@dataclass(frozen=True, slots=True)
class Profile:
    """A customer's fields, as the customer domain names them."""

    number: str | None
    name: str
    tax_id: str | None
    email: str | None
    phone: str | None
    website: str | None
    street: str | None
    city: str | None
    postal_code: str | None
    country: str
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer in the systems that know it; `profile` is what all of them should say.

    `account_id`, `stripe_id` and `party_code` are empty where a system has no such record. A record
    that belongs to no account of its own (the second party of a company) is a customer without one.
    """

    profile: Profile
    currency: str
    account_id: str = ""
    stamped_at: datetime | None = None
    is_deleted: bool = False
    master_id: str = ""
    stripe_id: str = ""
    stripe: Profile | None = None
    crm_id: str = ""
    party_code: str = ""
    party: Profile | None = None
    defect: Kind | None = None
    buys: bool = False

    @property
    def is_lost(self) -> bool:
        """Whether this is a merged account whose records all follow its survivor."""
        return bool(self.master_id) and not self.stripe_id and not self.party_code


@dataclass(frozen=True, slots=True)
class Product:
    """A product with its list prices in minor units by currency; `stripe_prices` are Stripe's own."""

    code: str
    name: str
    description: str
    family: str
    interval: str
    per_seat: bool
    is_active: bool
    prices: Mapping[str, int]
    salesforce_id: str
    stripe_id: str
    stripe_prices: Mapping[str, int]
    in_erp: bool
    erp_price: int
    """The list price in USD minor units that the ERP shows, or would show."""

    @property
    def is_recurring(self) -> bool:
        return self.interval != "once"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a deal. `number` counts the lines of all deals; ids follow from it."""

    number: int
    product: Product
    quantity: int
    unit_minor: int
    price_id: str
    """Stripe's price: the catalog's, or one made for this deal alone."""
    is_negotiated: bool
    item_id: str
    """The subscription item, for recurring lines."""

    @property
    def amount_minor(self) -> int:
        return self.quantity * self.unit_minor


@dataclass(frozen=True, slots=True)
class Contract:
    number: str
    contract_id: str
    subscription_id: str
    start_on: date
    term_months: int
    end_on: date
    has_ended: bool


@dataclass(frozen=True, slots=True)
class Invoice:
    number: str
    invoice_id: str
    issued_at: datetime
    issued_on: date
    paid_at: datetime | None


@dataclass(frozen=True, slots=True)
class Credit:
    """A credit note over some quantity of some lines of a deal's invoice."""

    number: str
    credit_id: str
    issued_at: datetime
    issued_on: date
    lines: tuple[tuple[Line, int], ...]
    defect: Kind | None = None

    @property
    def net_minor(self) -> int:
        return sum(line.unit_minor * quantity for line, quantity in self.lines)


@dataclass(frozen=True, slots=True)
class Fate:
    """What befell the records of one deal, by domain."""

    order: Kind | None = None
    contract: Kind | None = None
    invoice: Kind | None = None
    entitlements: tuple[Kind | None, ...] = ()
    """One for each recurring line."""


@dataclass(frozen=True, slots=True)
class Deal:
    """A won deal and what follows from it."""

    number: str
    opportunity_id: str
    customer: Customer
    closed_on: date
    lines: tuple[Line, ...]
    contract: Contract | None = None
    invoice: Invoice | None = None
    is_drafted: bool = False
    """Its invoice is still a draft."""
    credit: Credit | None = None
    fate: Fate = Fate()

    @property
    def currency(self) -> str:
        return self.customer.currency

    @property
    def recurring(self) -> tuple[Line, ...]:
        return tuple(line for line in self.lines if line.product.is_recurring)

    @property
    def net_minor(self) -> int:
        return sum(line.amount_minor for line in self.lines)


@dataclass(frozen=True, slots=True)
class Paper:
    """An invoice that somebody wrote in the ERP by hand."""

    reference: str
    customer: Customer
    issued_on: date
    product: Product
    quantity: int
    unit_minor: int

    @property
    def net_minor(self) -> int:
        return self.quantity * self.unit_minor


@dataclass(frozen=True, slots=True)
class Pursuit:
    """An opportunity that was not won: open, or lost."""

    opportunity_id: str
    customer: Customer
    stage: str
    is_closed: bool
    close_on: date
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that is so, whoever knows it."""

    seed: int
    customers: tuple[Customer, ...]
    products: tuple[Product, ...]
    deals: tuple[Deal, ...]
    pursuits: tuple[Pursuit, ...]
    papers: tuple[Paper, ...]


def tax_minor(net_minor: int, country: str) -> int:
    """VAT of 20 % in the countries of the EU; nets are chosen so that it is whole.

    >>> tax_minor(1005, "DE"), tax_minor(1005, "US")
    (201, 0)
    """
    return net_minor // 5 if country in VAT_COUNTRIES else 0
