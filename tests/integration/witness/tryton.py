"""Tryton through proteus, its own client library."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import proteus

from witness.value import Record, Records, line, minor


@contextmanager
def tryton_client(url: str, secrets: Mapping[str, str]) -> Iterator[Any]:
    with proteus.config.set_xmlrpc_session(f"{url}/rpc/", secrets["TRYTON_USER"], secrets["TRYTON_PASSWORD"]) as config:
        yield config


class TrytonRecords:
    """Reads a whole database."""

    def __init__(self, config: Any) -> None:
        self.config = config

    def read(self) -> Records:
        self.currencies = {row["id"]: row["code"] for row in self._all("currency.currency", ["code"])}
        templates = self._all("product.template", ["code", "name", "list_price", "active", "products"])
        variants = {row["id"]: row for row in self._all("product.product", ["template", "description"])}
        codes = {row["id"]: row["code"] for row in templates}
        self.codes = {key: codes[row["template"]] for key, row in variants.items()}
        companies = {row["id"]: row for row in self._all("company.company", ["party", "currency"])}
        parties = {row["id"]: row for row in self._all("party.party", _PARTY)}
        own = {row["party"] for row in [*companies.values(), *self._all("company.employee", ["party"])]}
        self.numbers = {key: row["code"] for key, row in parties.items()}
        self.entities = {key: parties[row["party"]]["code"] for key, row in companies.items()}
        (books,) = {self.currencies[row["currency"]] for row in companies.values()}
        return {
            "customer": self._customers({key: row for key, row in parties.items() if key not in own}),
            "product": {
                str(row["id"]): {
                    "code": row["code"],
                    "name": row["name"],
                    "description": " / ".join(variants[v]["description"] or "" for v in row["products"]),
                    "is_active": row["active"],
                }
                for row in templates
            },
            "pricing": {
                str(row["id"]): {
                    "product": row["code"],
                    "currency": books,
                    "amount_minor": minor(row["list_price"], books),
                }
                for row in templates
            },
            "order": self._orders(),
            "invoice": self._invoices(),
        }

    def _all(self, model: str, fields: list[str], domain: list[Any] | None = None) -> list[Record]:
        proxy = self.config.get_proxy(model)
        context = {**self.config.context, "active_test": False}
        return list(proxy.search_read(domain or [], 0, None, [("id", "ASC")], ["id", *fields], context))

    def _by_parent(self, model: str, parent: str, fields: list[str], domain: list[Any]) -> dict[int, list[Record]]:
        found: dict[int, list[Record]] = {}
        for row in self._all(model, [parent, *fields], domain):
            found.setdefault(row[parent], []).append(row)
        return found

    def _customers(self, parties: Mapping[int, Record]) -> dict[str, Record]:
        active = [("active", "=", True)]
        countries = {row["id"]: row["code"] for row in self._all("country.country", ["code"])}
        addresses = self._by_parent("party.address", "party", ["street", "city", "postal_code", "country"], active)
        identifiers = self._by_parent("party.identifier", "party", ["code"], active)
        mechanisms = self._by_parent("party.contact_mechanism", "party", ["type", "value"], active)
        made = {}
        for key, row in parties.items():
            address = _only(addresses.get(key, [])) or {}
            made[str(key)] = {
                "number": row["code"],
                "name": row["name"],
                "tax_id": (_only(identifiers.get(key, [])) or {}).get("code"),
                **{
                    kind: (_only([m for m in mechanisms.get(key, []) if m["type"] == kind]) or {}).get("value")
                    for kind in ("email", "phone", "website")
                },
                **{name: address.get(name) for name in ("street", "city", "postal_code")},
                "country": countries.get(address.get("country") or 0),
                "is_active": row["active"],
            }
        return made

    def _orders(self) -> dict[str, Record]:
        lines = self._by_parent("sale.line", "sale", ["product", "quantity", "amount"], [("type", "=", "line")])
        fields = ["reference", "company", "party", "sale_date", "state", "currency", "untaxed_amount"]
        made = {}
        for row in self._all("sale.sale", fields):
            currency = self.currencies[row["currency"]]
            made[str(row["id"])] = {
                "number": row["reference"],
                "legal_entity": self.entities[row["company"]],
                "customer": self.numbers[row["party"]],
                "ordered_on": row["sale_date"],
                "status": "confirmed" if row["state"] in ("confirmed", "processing", "done") else row["state"],
                "currency": currency,
                "net_minor": minor(row["untaxed_amount"], currency),
                "lines": self._lines(lines.get(row["id"], []), currency),
            }
        return made

    def _invoices(self) -> dict[str, Record]:
        lines = self._by_parent(
            "account.invoice.line", "invoice", ["product", "quantity", "amount"], [("type", "=", "line")]
        )
        fields = ["reference", "number", "company", "party", "invoice_date", "state", "currency"]
        amounts = ["untaxed_amount", "tax_amount", "total_amount"]
        made = {}
        for row in self._all("account.invoice", [*fields, *amounts], [("type", "=", "out")]):
            currency = self.currencies[row["currency"]]
            assert row["number"] == row["reference"]
            made[str(row["id"])] = {
                "number": row["reference"],
                "kind": "credit" if row["total_amount"] < 0 else "invoice",
                "legal_entity": self.entities[row["company"]],
                "customer": self.numbers[row["party"]],
                "issued_on": row["invoice_date"],
                "status": "posted" if row["state"] in ("posted", "paid") else row["state"],
                "currency": currency,
                "net_minor": minor(row["untaxed_amount"], currency),
                "tax_minor": minor(row["tax_amount"], currency),
                "total_minor": minor(row["total_amount"], currency),
                "lines": self._lines(lines.get(row["id"], []), currency),
            }
        return made

    def _lines(self, rows: list[Record], currency: str) -> list[tuple[str | None, Decimal, int]]:
        return [line(self.codes[r["product"]], r["quantity"], minor(r["amount"], currency)) for r in rows]


_PARTY = ["code", "name", "active"]


def _only(rows: list[Record]) -> Record | None:
    """The one row there is, or none; two would mean that something was created twice."""
    assert len(rows) <= 1, rows
    return rows[0] if rows else None
