"""What the ERP's set-up makes and others refer to by name: the company, its accounts, taxes and currencies."""

from __future__ import annotations

from collections.abc import Mapping

COMPANY = ("US01", "Meridian Software Inc")
YEAR = 2026
CURRENCIES = (
    ("USD", "US Dollar", "840", "0.01", 2, "1.0"),
    ("EUR", "Euro", "978", "0.01", 2, "0.9"),
    ("JPY", "Yen", "392", "1", 0, "150.0"),
)
"""Code, name, numeric code, rounding, digits, and how many of it a US dollar buys."""

COUNTRIES: Mapping[str, str] = {
    "AT": "Austria",
    "AU": "Australia",
    "BE": "Belgium",
    "BR": "Brazil",
    "CA": "Canada",
    "CH": "Switzerland",
    "CN": "China",
    "CZ": "Czechia",
    "DE": "Germany",
    "DK": "Denmark",
    "ES": "Spain",
    "FI": "Finland",
    "FR": "France",
    "GB": "United Kingdom",
    "GR": "Greece",
    "HK": "Hong Kong",
    "IE": "Ireland",
    "IL": "Israel",
    "IN": "India",
    "IT": "Italy",
    "JP": "Japan",
    "KR": "South Korea",
    "LU": "Luxembourg",
    "MX": "Mexico",
    "NL": "Netherlands",
    "NO": "Norway",
    "NZ": "New Zealand",
    "PL": "Poland",
    "PT": "Portugal",
    "SE": "Sweden",
    "SG": "Singapore",
    "US": "United States",
    "ZA": "South Africa",
}
ACCOUNTS: Mapping[str, str] = {"receivable": "1.2.1", "revenue": "4.2.2", "tax": "6.3.6", "exchange": "6.2.1"}
"""Codes of the universal chart: trade receivables, services over time, tax, gain and loss on currencies."""

TAX = "VAT 20%"
VAT_COUNTRIES = ("DE", "ES", "FR", "IE", "NL")
"""Whose customers pay it."""

WITH_TAX = "Customers with VAT"
WITHOUT_TAX = "Customers without VAT"
CATEGORY = "Subscription revenue"
PAYMENT_TERM = "Net 30 days"
"""One of those that the module brings."""
