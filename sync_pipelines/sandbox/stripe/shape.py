"""Complete objects of API version 2026-06-24.dahlia: every field that Stripe returns, with its default.

Source: the field lists of Stripe's published OpenAPI fixtures. What a field means is the business of
the module that owns the object.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Fields = Mapping[str, Any]

_CUSTOMER: dict[str, Any] = {
    "object": "customer",
    "address": None,
    "balance": 0,
    "created": 0,
    "currency": None,
    "default_source": None,
    "delinquent": False,
    "description": None,
    "discount": None,
    "email": None,
    "invoice_prefix": None,
    "invoice_settings": {
        "custom_fields": None,
        "default_payment_method": None,
        "footer": None,
        "rendering_options": None,
    },
    "livemode": False,
    "metadata": {},
    "name": None,
    "next_invoice_sequence": 1,
    "phone": None,
    "preferred_locales": [],
    "shipping": None,
    "tax_exempt": "none",
    "test_clock": None,
}

_PRODUCT: dict[str, Any] = {
    "object": "product",
    "active": True,
    "created": 0,
    "default_price": None,
    "description": None,
    "images": [],
    "livemode": False,
    "marketing_features": [],
    "metadata": {},
    "name": "",
    "package_dimensions": None,
    "shippable": None,
    "statement_descriptor": None,
    "tax_code": None,
    "type": "service",
    "unit_label": None,
    "updated": 0,
    "url": None,
}

_PRICE: dict[str, Any] = {
    "object": "price",
    "active": True,
    "billing_scheme": "per_unit",
    "created": 0,
    "currency": "usd",
    "custom_unit_amount": None,
    "livemode": False,
    "lookup_key": None,
    "metadata": {},
    "nickname": None,
    "product": None,
    "recurring": None,
    "tax_behavior": "unspecified",
    "tiers_mode": None,
    "transform_quantity": None,
    "type": "one_time",
    "unit_amount": None,
    "unit_amount_decimal": None,
}

_TAX_RATE: dict[str, Any] = {
    "object": "tax_rate",
    "active": True,
    "country": None,
    "created": 0,
    "description": None,
    "display_name": "",
    "effective_percentage": None,
    "flat_amount": None,
    "inclusive": False,
    "jurisdiction": None,
    "jurisdiction_level": None,
    "livemode": False,
    "metadata": {},
    "percentage": 0,
    "rate_type": "percentage",
    "state": None,
    "tax_type": None,
}

_AUTOMATIC_TAX: dict[str, Any] = {"disabled_reason": None, "enabled": False, "liability": None}

_SUBSCRIPTION: dict[str, Any] = {
    "object": "subscription",
    "application": None,
    "application_fee_percent": None,
    "automatic_tax": _AUTOMATIC_TAX,
    "billing_cycle_anchor": 0,
    "billing_cycle_anchor_config": None,
    "billing_mode": {"flexible": None, "type": "classic"},
    "billing_schedules": [],
    "billing_thresholds": None,
    "cancel_at": None,
    "cancel_at_period_end": False,
    "canceled_at": None,
    "cancellation_details": {"comment": None, "feedback": None, "reason": None},
    "collection_method": "charge_automatically",
    "created": 0,
    "currency": "usd",
    "customer": None,
    "customer_account": None,
    "days_until_due": None,
    "default_payment_method": None,
    "default_source": None,
    "default_tax_rates": [],
    "description": None,
    "discounts": [],
    "ended_at": None,
    "invoice_settings": {
        "account_tax_ids": None,
        "custom_fields": None,
        "description": None,
        "footer": None,
        "issuer": {"type": "self"},
    },
    "items": None,
    "latest_invoice": None,
    "livemode": False,
    "managed_payments": None,
    "metadata": {},
    "next_pending_invoice_item_invoice": None,
    "on_behalf_of": None,
    "pause_collection": None,
    "payment_settings": {
        "payment_method_options": None,
        "payment_method_types": None,
        "save_default_payment_method": "off",
    },
    "pending_invoice_item_interval": None,
    "pending_setup_intent": None,
    "pending_update": None,
    "schedule": None,
    "start_date": 0,
    "status": "active",
    "test_clock": None,
    "transfer_data": None,
    "trial_end": None,
    "trial_settings": {"end_behavior": {"missing_payment_method": "create_invoice"}},
    "trial_start": None,
}

_SUBSCRIPTION_ITEM: dict[str, Any] = {
    "object": "subscription_item",
    "billing_thresholds": None,
    "created": 0,
    "current_period_end": 0,
    "current_period_start": 0,
    "discounts": [],
    "metadata": {},
    "price": None,
    "quantity": 1,
    "subscription": None,
    "tax_rates": [],
}

_INVOICE: dict[str, Any] = {
    "object": "invoice",
    "account_country": "US",
    "account_name": None,
    "account_tax_ids": None,
    "amount_due": 0,
    "amount_overpaid": 0,
    "amount_paid": 0,
    "amount_remaining": 0,
    "amount_shipping": 0,
    "application": None,
    "attempt_count": 0,
    "attempted": False,
    "auto_advance": False,
    "automatic_tax": {**_AUTOMATIC_TAX, "provider": None, "status": None},
    "automatically_finalizes_at": None,
    "billing_reason": "manual",
    "collection_method": "charge_automatically",
    "created": 0,
    "currency": "usd",
    "custom_fields": None,
    "customer": None,
    "customer_account": None,
    "customer_address": None,
    "customer_email": None,
    "customer_name": None,
    "customer_phone": None,
    "customer_shipping": None,
    "customer_tax_exempt": "none",
    "customer_tax_ids": [],
    "default_payment_method": None,
    "default_source": None,
    "default_tax_rates": [],
    "description": None,
    "discounts": [],
    "due_date": None,
    "effective_at": None,
    "ending_balance": None,
    "footer": None,
    "from_invoice": None,
    "hosted_invoice_url": None,
    "invoice_pdf": None,
    "issuer": {"type": "self"},
    "last_finalization_error": None,
    "latest_revision": None,
    "lines": None,
    "livemode": False,
    "metadata": {},
    "next_payment_attempt": None,
    "number": None,
    "on_behalf_of": None,
    "parent": None,
    "payment_settings": {
        "default_mandate": None,
        "payment_method_options": None,
        "payment_method_types": None,
    },
    "period_end": 0,
    "period_start": 0,
    "post_payment_credit_notes_amount": 0,
    "pre_payment_credit_notes_amount": 0,
    "receipt_number": None,
    "rendering": None,
    "shipping_cost": None,
    "shipping_details": None,
    "starting_balance": 0,
    "statement_descriptor": None,
    "status": "draft",
    "status_transitions": {
        "finalized_at": None,
        "marked_uncollectible_at": None,
        "paid_at": None,
        "voided_at": None,
    },
    "subtotal": 0,
    "subtotal_excluding_tax": 0,
    "test_clock": None,
    "total": 0,
    "total_discount_amounts": [],
    "total_excluding_tax": 0,
    "total_pretax_credit_amounts": [],
    "total_taxes": [],
    "webhooks_delivered_at": None,
}

_LINE_ITEM: dict[str, Any] = {
    "object": "line_item",
    "amount": 0,
    "currency": "usd",
    "description": None,
    "discount_amounts": [],
    "discountable": True,
    "discounts": [],
    "invoice": None,
    "livemode": False,
    "metadata": {},
    "parent": None,
    "period": {"end": 0, "start": 0},
    "pretax_credit_amounts": [],
    "pricing": None,
    "quantity": 1,
    "quantity_decimal": None,
    "subscription": None,
    "subtotal": 0,
    "taxes": [],
}

_INVOICEITEM: dict[str, Any] = {
    "object": "invoiceitem",
    "amount": 0,
    "currency": "usd",
    "customer": None,
    "customer_account": None,
    "date": 0,
    "description": None,
    "discountable": True,
    "discounts": [],
    "invoice": None,
    "livemode": False,
    "metadata": {},
    "net_amount": 0,
    "parent": None,
    "period": {"end": 0, "start": 0},
    "pricing": None,
    "proration": False,
    "quantity": 1,
    "quantity_decimal": None,
    "tax_rates": [],
    "test_clock": None,
}

_CREDIT_NOTE: dict[str, Any] = {
    "object": "credit_note",
    "amount": 0,
    "amount_shipping": 0,
    "created": 0,
    "currency": "usd",
    "customer": None,
    "customer_account": None,
    "customer_balance_transaction": None,
    "discount_amount": 0,
    "discount_amounts": [],
    "effective_at": None,
    "invoice": None,
    "lines": None,
    "livemode": False,
    "memo": None,
    "metadata": {},
    "number": None,
    "out_of_band_amount": None,
    "pdf": None,
    "post_payment_amount": 0,
    "pre_payment_amount": 0,
    "pretax_credit_amounts": [],
    "reason": None,
    "refunds": [],
    "shipping_cost": None,
    "status": "issued",
    "subtotal": 0,
    "subtotal_excluding_tax": 0,
    "total": 0,
    "total_excluding_tax": 0,
    "total_taxes": [],
    "type": "pre_payment",
    "voided_at": None,
}

_CREDIT_NOTE_LINE_ITEM: dict[str, Any] = {
    "object": "credit_note_line_item",
    "amount": 0,
    "description": None,
    "discount_amount": 0,
    "discount_amounts": [],
    "livemode": False,
    "metadata": {},
    "pretax_credit_amounts": [],
    "quantity": None,
    "tax_rates": [],
    "taxes": [],
    "type": "invoice_line_item",
    "unit_amount": None,
    "unit_amount_decimal": None,
}

_INVOICE_PAYMENT: dict[str, Any] = {
    "object": "invoice_payment",
    "amount_paid": None,
    "amount_requested": 0,
    "created": 0,
    "currency": "usd",
    "invoice": None,
    "is_default": True,
    "livemode": False,
    "payment": {"type": "payment_intent"},
    "status": "open",
    "status_transitions": {"canceled_at": None, "paid_at": None},
}

_FEATURE: dict[str, Any] = {
    "object": "entitlements.feature",
    "active": True,
    "livemode": False,
    "lookup_key": "",
    "metadata": {},
    "name": "",
}

_PRODUCT_FEATURE: dict[str, Any] = {"object": "product_feature", "entitlement_feature": {}, "livemode": False}

_ACTIVE_ENTITLEMENT: dict[str, Any] = {
    "object": "entitlements.active_entitlement",
    "feature": None,
    "livemode": False,
    "lookup_key": "",
}

_EVENT: dict[str, Any] = {
    "object": "event",
    "api_version": None,
    "created": 0,
    "data": {},
    "livemode": False,
    "pending_webhooks": 0,
    "request": {"id": None, "idempotency_key": None},
    "type": "",
}

_WEBHOOK_ENDPOINT: dict[str, Any] = {
    "object": "webhook_endpoint",
    "api_version": None,
    "application": None,
    "created": 0,
    "description": None,
    "enabled_events": [],
    "livemode": False,
    "metadata": {},
    "status": "enabled",
    "url": "",
}

_SHAPES = {
    shape["object"]: shape
    for shape in (
        _CUSTOMER,
        _PRODUCT,
        _PRICE,
        _TAX_RATE,
        _SUBSCRIPTION,
        _SUBSCRIPTION_ITEM,
        _INVOICE,
        _LINE_ITEM,
        _INVOICEITEM,
        _CREDIT_NOTE,
        _CREDIT_NOTE_LINE_ITEM,
        _INVOICE_PAYMENT,
        _FEATURE,
        _PRODUCT_FEATURE,
        _ACTIVE_ENTITLEMENT,
        _EVENT,
        _WEBHOOK_ENDPOINT,
    )
}
KINDS = frozenset(_SHAPES)
"""The objects that this stand-in knows, by their `object` field."""


def complete(kind: str, fields: Fields) -> dict[str, Any]:
    """An object with every field of its kind; what isn't given has Stripe's default.

    >>> complete("customer", {"id": "cus_1", "name": "Acme"})["tax_exempt"]
    'none'
    """
    return {"id": fields.get("id"), **_SHAPES[kind], **fields}


def enclosed(data: list[Any], url: str, *, has_more: bool = False) -> dict[str, Any]:
    """Stripe's list envelope."""
    return {"object": "list", "data": data, "has_more": has_more, "url": url}
