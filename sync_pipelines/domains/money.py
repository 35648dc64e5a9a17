"""Money: integer minor units beside an ISO 4217 currency; never a float."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

ZERO_DECIMALS = frozenset(
    [
        "BIF",
        "CLP",
        "DJF",
        "GNF",
        "ISK",
        "JPY",
        "KMF",
        "KRW",
        "PYG",
        "RWF",
        "UGX",
        "UYI",
        "VND",
        "VUV",
        "XAF",
        "XOF",
        "XPF",
    ]
)
"""ISO 4217 currencies without a minor unit."""

THREE_DECIMALS = frozenset(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"])
"""ISO 4217 currencies whose minor unit is a thousandth."""

_TWO_DECIMALS = """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE
    CHF CHW CLF CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD
    HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU
    MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG
    SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UYW UZS VED VES
    WST XCD YER ZAR ZMW ZWG
"""

CURRENCIES = ZERO_DECIMALS | THREE_DECIMALS | frozenset(_TWO_DECIMALS.split())
"""The currencies of ISO 4217, without metals, units of account and codes for tests."""


def exponent(currency: str) -> int:
    """How many decimals a currency's minor unit has.

    >>> exponent("EUR"), exponent("JPY"), exponent("KWD")
    (2, 0, 3)
    """
    if currency in ZERO_DECIMALS:
        return 0
    return 3 if currency in THREE_DECIMALS else 2


def minor(amount: Decimal, currency: str) -> int:
    """An exact amount in minor units; a fraction of one is rounded half away from zero.

    >>> minor(Decimal("12.34"), "USD"), minor(Decimal("1200"), "JPY")
    (1234, 1200)
    """
    return int(amount.scaleb(exponent(currency)).to_integral_value(ROUND_HALF_UP))


def major(amount_minor: int, currency: str) -> Decimal:
    """Minor units as a decimal amount.

    >>> major(1234, "USD"), major(1200, "JPY")
    (Decimal('12.34'), Decimal('1200'))
    """
    return Decimal(amount_minor).scaleb(-exponent(currency))


def spell(amount_minor: int, currency: str) -> str:
    """An amount as people read it.

    >>> spell(-123456, "USD"), spell(5000, "JPY")
    ('USD -1,234.56', 'JPY 5,000')
    """
    return f"{currency} {major(amount_minor, currency):,f}"
