"""The pandera schema of a domain's canonical records, generated from its fields."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

import pandas as pd
import pandera.pandas as pra
import pyarrow as pa

from sync_pipelines.domains.field import Domain, Field, Kind

_TYPES: dict[Kind, pa.DataType] = {
    Kind.FLAG: pa.bool_(),
    Kind.DATE: pa.date32(),
    Kind.MONEY: pa.int64(),
    Kind.QUANTITY: pa.decimal128(18, 4),
}

SQL_TYPES: dict[Kind, str] = {
    Kind.FLAG: "BOOLEAN",
    Kind.DATE: "DATE",
    Kind.MONEY: "BIGINT",
    Kind.QUANTITY: "DECIMAL(18, 4)",
}
"""DuckDB types of the kinds that are not VARCHAR."""

META: dict[str, str] = {
    "record_id": "VARCHAR",
    "version": "VARCHAR",
    "is_deleted": "BOOLEAN",
    "merged_into": "VARCHAR",
    "external_id": "VARCHAR",
    "counterpart_id": "VARCHAR",
    "label": "VARCHAR",
    "correlation_id": "VARCHAR",
    "posting_on": "DATE",
    "edited_by": "VARCHAR",
    "is_settled": "BOOLEAN",
}
"""Columns that every canonical record has beside its domain's fields, with their DuckDB types.

`record_id` and `version` are the system's own; `merged_into` is the record that absorbed this one;
`external_id` is the link id that the record carries, if any; `counterpart_id` is the id that the
record claims for itself in the domain's leading system; `label` is what people call it;
`correlation_id` is the id of the deal that the record belongs to, or the number of the order or contract
by which it names that deal; `posting_on` is the day on which the books took a document, where the system
keeps one beside the document's own date; `edited_by` is who edited the record last, as the system names them;
`is_settled` says of a document that nothing is owed on it any more.
"""


def sql_type(field: Field) -> str:
    """The DuckDB type in which a field is stored."""
    return SQL_TYPES.get(field.kind, "VARCHAR")


def schema(domain: Domain, held: Collection[str]) -> pra.DataFrameSchema:
    """The schema of a frame with the columns of `META` and the held fields of a domain.

    Columns are Arrow-backed (`pandas.ArrowDtype`), so integers stay exact beside nulls and no column
    is of dtype object. Validate with `lazy=True`: each failure then names its row.
    """
    columns = {"record_id": _column(pa.string(), nullable=False, unique=True)}
    columns |= {"is_deleted": _column(pa.bool_(), nullable=False)}
    columns |= {"is_settled": _column(pa.bool_())}
    columns |= {name: _column(pa.string()) for name in META if name not in columns}
    columns["posting_on"] = _column(pa.date32())
    for field in domain.fields:
        if field.name in held:
            kind = _TYPES.get(field.kind, pa.string())
            columns[field.name] = _column(kind, nullable=not field.required, checks=list(_checks(field)))
    return pra.DataFrameSchema(columns, checks=list(_laws(held)), strict=True)


def _column(
    kind: pa.DataType, *, nullable: bool = True, unique: bool = False, checks: list[pra.Check] | None = None
) -> pra.Column:
    return pra.Column(pd.ArrowDtype(kind), checks, nullable=nullable, unique=unique)


def _checks(field: Field) -> Iterator[pra.Check]:
    if field.kind is Kind.CHOICE and field.choices:
        yield pra.Check.isin(field.choices, error=f"must be one of {', '.join(field.choices)}")
    if field.kind is Kind.CURRENCY:
        yield pra.Check.str_matches(r"^[A-Z]{3}$", error="must be an ISO 4217 code")
    if field.kind is Kind.EMAIL:
        yield pra.Check.str_matches(r"^[^@\s]+@[^@\s]+\.[^@\s]+$", error="must be an e-mail address")
    if field.required and field.kind in {Kind.CODE, Kind.TEXT}:
        yield pra.Check.str_matches(re.compile(r"\S"), error="must not be blank")


def _laws(held: Collection[str]) -> Iterator[pra.Check]:
    """Truths that hold across the fields of one record."""
    if {"net_minor", "tax_minor", "total_minor"} <= set(held):
        yield pra.Check(
            lambda frame: frame["net_minor"] + frame["tax_minor"] == frame["total_minor"],
            name="adds_up",
            error="net and tax must add up to the total",
        )
    if {"start_on", "end_on"} <= set(held):
        yield pra.Check(
            lambda frame: (frame["end_on"].isna() | (frame["end_on"] >= frame["start_on"])).fillna(True),
            name="ends_after_start",
            error="must not end before it starts",
        )
