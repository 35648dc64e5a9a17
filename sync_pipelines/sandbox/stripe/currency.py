"""Which currencies Stripe takes and what an amount in them may look like.

Source: docs.stripe.com/currencies. Amounts are integers in the smallest unit; this is the stand-in's
own list, so that it can witness against the product's.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from sync_pipelines.sandbox.stripe.refusal import Refusal


def _codes(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


ZERO_DECIMAL = _codes("bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf")
THREE_DECIMAL = _codes("bhd jod kwd omr tnd")
_WHOLE_UNITS_IN_HUNDREDTHS = _codes("isk ugx")
"""Zero-decimal by nature, sent with two decimals that have to be 00."""

_TWO_DECIMAL = _codes(
    "usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bmd bnd bob brl bsd bwp byn bzd cad cdf chf "
    "cny cop crc cve czk dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gtq gyd hkd hnl htg huf idr ils inr "
    "jmd kes kgs khr kyd kzt lak lbp lkr lrd lsl mad mdl mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio "
    "nok npr nzd pab pen pgk php pkr pln qar ron rsd rub sar sbd scr sek sgd shp sle sos srd std szl thb tjs "
    "top try ttd twd tzs uah uyu uzs wst xcd yer zar zmw"
)
SUPPORTED = _TWO_DECIMAL | ZERO_DECIMAL | THREE_DECIMAL | _WHOLE_UNITS_IN_HUNDREDTHS


def check_currency(code: str, param: str) -> str:
    """The code in lower case, or the refusal that Stripe gives for one it doesn't take."""
    currency = code.lower()
    if currency not in SUPPORTED:
        raise Refusal(
            f"Invalid currency: {code}. Stripe currently supports these currencies: {', '.join(sorted(SUPPORTED))}",
            param=param,
        )
    return currency


def check_amount(amount: int, currency: str, param: str) -> int:
    """The amount, where it is a whole number of what Stripe can represent in the currency.

    >>> check_amount(1230, "kwd", "amount")
    1230
    """
    if currency in THREE_DECIMAL and amount % 10:
        raise Refusal(
            f"Invalid amount: amounts in {currency} must have 0 as their last digit (got {amount}).", param=param
        )
    if currency in _WHOLE_UNITS_IN_HUNDREDTHS and amount % 100:
        raise Refusal(
            f"Invalid amount: {currency} has no minor unit, amounts must end in 00 (got {amount}).", param=param
        )
    if abs(amount) > 99_999_999_999:
        raise Refusal(
            "Amount must be no more than 999999999.99 in the currency's major unit.",
            code="amount_too_large",
            param=param,
        )
    return amount


def rounded(amount: Decimal, currency: str) -> int:
    """An exact amount as whole units that the currency allows, halves away from zero."""
    step = 10 if currency in THREE_DECIMAL else 100 if currency in _WHOLE_UNITS_IN_HUNDREDTHS else 1
    return int((amount / step).quantize(Decimal(1), ROUND_HALF_UP)) * step


def plain(amount: Decimal) -> str:
    """A decimal string as Stripe prints it: no exponent, no trailing zeros.

    >>> plain(Decimal("20.50")), plain(Decimal("1E+2"))
    ('20.5', '100')
    """
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
