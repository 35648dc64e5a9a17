"""Who the customers are, and how each system knows them: stories that give families of records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

from sync_pipelines.sandbox.company import defects as kind
from sync_pipelines.sandbox.company import spelling
from sync_pipelines.sandbox.company.ids import Ids
from sync_pipelines.sandbox.company.model import Customer, Profile
from sync_pipelines.sandbox.company.moments import touched
from sync_pipelines.sandbox.company.registry import Registry
from sync_pipelines.sandbox.company.words import BY_CODE

ACCOUNTS = 120
"""Live accounts at scale 1."""


def customers(scale: int, ids: Ids) -> tuple[Customer, ...]:
    """All customers, family by family in an order that tells nothing."""
    registry = Registry(Random(f"{ids.seed}|customers"), ids)
    families = [tell for tell, count in _STORIES for _ in range(count * scale)]
    live = sum(_LIVE.get(tell, 1) for tell in families)
    families += [_ordinary] * (ACCOUNTS * scale - live)
    registry.rng.shuffle(families)
    made = [customer for tell in families for customer in tell(registry)]
    return tuple(replace(c, stamped_at=touched(registry.rng)) if c.account_id else c for c in made)


def _account(registry: Registry, profile: Profile) -> Customer:
    """An account in Salesforce alone."""
    country = BY_CODE[profile.country]
    return Customer(
        profile=profile,
        currency=country.currency,
        account_id=registry.ids.salesforce("001", int((profile.number or "0")[2:])),
    )


def _with_stripe(customer: Customer, seen: Profile, registry: Registry, *, crm_id: str = "") -> Customer:
    stripe_id = registry.ids.stripe("customer", customer.profile.number, seen.number, seen.email)
    return replace(customer, stripe_id=stripe_id, stripe=seen, crm_id=crm_id)


def _with_party(customer: Customer, seen: Profile, registry: Registry) -> Customer:
    """`seen.number` is the code; a party without one gets the ERP's own."""
    code = seen.number or registry.party_code()
    return replace(customer, party_code=code, party=replace(seen, number=code))


def _known(profile: Profile, registry: Registry) -> Customer:
    """A company that all three systems know by its number."""
    customer = _with_stripe(_account(registry, profile), profile, registry)
    return replace(_with_party(customer, profile, registry), buys=True)


def _ordinary(registry: Registry) -> list[Customer]:
    profile, rng = registry.found(), registry.rng
    customer, where = _account(registry, profile), rng.random()
    in_stripe, in_erp = where < 0.82, where < 0.58 or where > 0.94
    if in_stripe:
        customer = _hinted_in_stripe(customer, registry)
    if in_erp:
        customer = _hinted_in_erp(customer, registry)
    if not (in_stripe and in_erp):
        customer = replace(customer, defect=customer.defect or kind.CUSTOMER_MISSING)
    return [replace(customer, buys=in_stripe)]


def _hinted_in_stripe(customer: Customer, registry: Registry) -> Customer:
    """Stripe's record carries one of the hints that are found in real life, and none that is wrong."""
    profile, rng = customer.profile, registry.rng
    hint = rng.random()
    if hint < 0.45:
        return _with_stripe(customer, profile, registry, crm_id=rng.choice(("", customer.account_id)))
    nameless = replace(profile, number=None, website=rng.choice((None, profile.website)))
    if hint < 0.70:
        return _with_stripe(customer, nameless, registry, crm_id=customer.account_id)
    if hint < 0.82 and profile.tax_id:
        return _with_stripe(customer, nameless, registry)
    nameless = replace(nameless, tax_id=None)
    if hint < 0.92:
        return _with_stripe(customer, replace(nameless, email=_other_box(profile)), registry)
    return _with_stripe(customer, replace(nameless, email=_free_mail(profile, rng)), registry)


def _hinted_in_erp(customer: Customer, registry: Registry) -> Customer:
    """The ERP's record likewise; the rest is known by a similar name at the same address alone."""
    profile, rng = customer.profile, registry.rng
    profile = replace(profile, phone=_other_phone(profile, rng))
    hint = rng.random()
    if hint < 0.60:
        return _with_party(customer, profile, registry)
    unnumbered = replace(profile, number=None)
    if hint < 0.85 and profile.tax_id:
        return _with_party(customer, unnumbered, registry)
    unnumbered = replace(unnumbered, tax_id=None)
    if hint < 0.93:
        return _with_party(customer, unnumbered, registry)
    other = replace(
        unnumbered,
        name=rng.choice(spelling.MILD)(profile.name, rng),
        email=_free_mail(profile, rng),
        website=None,
    )
    return replace(_with_party(customer, other, registry), defect=kind.SPELLING_DIFFERS)


def _other_box(profile: Profile) -> str:
    return "finance@" + (profile.email or "").split("@")[1]


def _free_mail(profile: Profile, rng: Random) -> str | None:
    """An address that says nothing about the company, or none at all."""
    slug = (profile.email or "").split("@")[1].split(".")[0]
    return rng.choice((None, f"{slug}@gmail.com", f"{slug}@outlook.com"))


def _other_phone(profile: Profile, rng: Random) -> str | None:
    """The same digits, set another way."""
    return rng.choice((profile.phone, profile.phone and profile.phone.replace(" ", "-")))


def _spelling(registry: Registry) -> list[Customer]:
    profile, rng = registry.taxed(), registry.rng
    customer = _known(profile, registry)
    other = replace(profile, name=rng.choice(spelling.ANY)(profile.name, rng))
    return [replace(_with_party(customer, other, registry), defect=kind.SPELLING_DIFFERS)]


def _moved(registry: Registry) -> list[Customer]:
    """Stripe or the ERP still has the address from before the company moved."""
    profile = registry.taxed()
    customer = _known(profile, registry)
    country = BY_CODE[profile.country]
    street, city, postal_code, _ = registry.address(country)
    old = replace(profile, street=street, city=city, postal_code=postal_code)
    if registry.rng.random() < 0.4:
        customer = _with_stripe(customer, old, registry)
    else:
        customer = _with_party(customer, old, registry)
    return [replace(customer, defect=kind.ADDRESS_DIFFERS)]


def _twins(registry: Registry) -> list[Customer]:
    """Two accounts for one company; what Stripe and the ERP hold fits both."""
    profile = registry.taxed()
    first, twin = _account(registry, profile), _account(registry, _second_account(profile, registry))
    unnumbered = replace(profile, number=None)
    first = _with_party(_with_stripe(first, unnumbered, registry), unnumbered, registry)
    return [replace(customer, defect=kind.DUPLICATE_ACCOUNT) for customer in (first, twin)]


def _second_account(profile: Profile, registry: Registry) -> Profile:
    """The same company as another colleague entered it."""
    country = BY_CODE[profile.country]
    street, city, postal_code, phone = registry.address(country)
    return replace(
        profile,
        number=registry.number(),
        name=spelling.other_form(profile.name, registry.rng),
        email=_other_box(profile),
        phone=phone,
        street=street,
        city=city,
        postal_code=postal_code,
    )


def _twin_parties(registry: Registry) -> list[Customer]:
    """Two parties for one company, both with its tax id and neither with its number."""
    profile = registry.taxed()
    customer = _with_stripe(_account(registry, profile), profile, registry)
    customer = _with_party(customer, replace(profile, number=None), registry)
    other = replace(profile, number=None, name=spelling.other_form(profile.name, registry.rng))
    second = _with_party(Customer(profile, customer.currency), other, registry)
    return [replace(c, defect=kind.DUPLICATE_PARTY) for c in (customer, second)]


def _merged(registry: Registry) -> list[Customer]:
    """A merged account whose Stripe customer and party are the only ones; they follow the survivor."""
    profile = registry.taxed()
    lost = _second_account(profile, registry)
    survivor = _with_stripe(_account(registry, profile), lost, registry)
    survivor = replace(_with_party(survivor, lost, registry), buys=True)
    loser = replace(_account(registry, lost), is_deleted=True, master_id=survivor.account_id)
    return [replace(customer, defect=kind.MERGED) for customer in (survivor, loser)]


def _merged_twice(registry: Registry) -> list[Customer]:
    """A merged account that has a Stripe customer and a party beside its survivor's."""
    profile = registry.taxed()
    survivor = replace(_known(profile, registry), buys=False)
    lost = _second_account(profile, registry)
    loser = replace(_known(lost, registry), buys=False, is_deleted=True, master_id=survivor.account_id)
    return [replace(customer, defect=kind.MERGED_TWICE) for customer in (survivor, loser)]


def _deleted(registry: Registry) -> list[Customer]:
    gone = _known(registry.taxed(), registry)
    return [replace(gone, is_deleted=True, buys=False, defect=kind.DELETED_ACCOUNT)]


def _ambiguous(registry: Registry) -> list[Customer]:
    """Two companies with nearly one name in one city, and a party that says no more than that name."""
    profile = registry.taxed(coined=True)
    other = replace(_lookalike(profile, registry), city=profile.city)
    accounts = [_with_stripe(_account(registry, p), p, registry) for p in (profile, other)]
    vague = replace(
        profile, number=None, tax_id=None, email=None, phone=None, website=None, street=None, postal_code=None
    )
    party = _with_party(Customer(vague, accounts[0].currency), vague, registry)
    return [replace(customer, defect=kind.AMBIGUOUS_NAME) for customer in (*accounts, party)]


def _similar(registry: Registry) -> list[Customer]:
    """A company that all systems know, and another of nearly the same name that only Salesforce knows."""
    profile = registry.taxed()
    other = _account(registry, _lookalike(profile, registry))
    return [_known(profile, registry), replace(other, defect=kind.SIMILAR_BUT_DIFFERENT)]


def _lookalike(profile: Profile, registry: Registry) -> Profile:
    """Another company of nearly the same name, in the same country."""
    country = BY_CODE[profile.country]
    other = registry.found(country)
    name = spelling.lookalike(profile.name)
    domain = registry.domain("".join(name.split()[:2]), country.tld)
    return replace(
        other,
        name=name,
        tax_id=other.tax_id or registry.tax_id(country),
        email=f"billing@{domain}",
        website=f"https://www.{domain}",
    )


def _closed_down(registry: Registry) -> list[Customer]:
    """A former customer; inactive everywhere, and that is agreed."""
    profile = replace(registry.taxed(), is_active=False)
    return [replace(_known(profile, registry), buys=False)]


Story = Callable[[Registry], list[Customer]]

_STORIES: tuple[tuple[Story, int], ...] = (
    (_spelling, kind.SPELLING_DIFFERS.count),
    (_moved, kind.ADDRESS_DIFFERS.count),
    (_twins, kind.DUPLICATE_ACCOUNT.count),
    (_twin_parties, kind.DUPLICATE_PARTY.count),
    (_merged, kind.MERGED.count),
    (_merged_twice, kind.MERGED_TWICE.count),
    (_deleted, kind.DELETED_ACCOUNT.count),
    (_ambiguous, kind.AMBIGUOUS_NAME.count),
    (_similar, kind.SIMILAR_BUT_DIFFERENT.count),
    (_closed_down, 2),
)

_LIVE: dict[Story, int] = {_twins: 2, _ambiguous: 2, _similar: 2, _deleted: 0}
"""How many live accounts a story gives, where it isn't one."""
