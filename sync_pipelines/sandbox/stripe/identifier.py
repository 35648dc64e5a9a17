"""Identifiers that look like Stripe's and follow from a seed and a count alone."""

from __future__ import annotations

from sync_pipelines.sandbox.letters import letters

_PREFIXES = {
    "customer": ("cus_", 14),
    "product": ("prod_", 14),
    "price": ("price_1", 23),
    "subscription": ("sub_1", 23),
    "subscription_item": ("si_", 14),
    "invoice": ("in_1", 23),
    "line_item": ("il_1", 23),
    "invoiceitem": ("ii_1", 23),
    "invoice_payment": ("inpay_1", 23),
    "payment_intent": ("pi_3", 23),
    "payment_record": ("pyr_", 14),
    "refund": ("re_3", 23),
    "credit_note": ("cn_1", 23),
    "credit_note_line_item": ("cnli_1", 23),
    "tax_rate": ("txr_1", 23),
    "event": ("evt_1", 23),
    "webhook_endpoint": ("we_1", 23),
    "webhook_secret": ("whsec_", 32),
    "entitlements.feature": ("feat_test_61", 28),
    "entitlements.active_entitlement": ("ent_test_61", 28),
    "product_feature": ("prodft_", 14),
    "account": ("acct_1", 15),
    "request": ("req_", 14),
}


def identifier(kind: str, *parts: object) -> str:
    """The identifier of a kind that these parts, and only they, determine.

    >>> identifier("customer", 0, 1) == identifier("customer", 0, 1) != identifier("customer", 0, 2)
    True
    """
    prefix, length = _PREFIXES[kind]
    return prefix + letters(length, kind, *parts)
