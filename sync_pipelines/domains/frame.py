"""The pandera schema of a domain's canonical records, generated from its fields.

Only what conforms records imports this: pandas and pandera take longer to load than most commands to run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

import pandas as pd
import pandera.errors
import pandera.pandas as pra
import pyarrow as pa

from sync_pipelines.domains.field import Domain, Field, Kind
from sync_pipelines.domains.schema import META
from sync_pipelines.errors import FixConfiguration

_TYPES: dict[Kind, pa.DataType] = {
    Kind.FLAG: pa.bool_(),
    Kind.DATE: pa.date32(),
    Kind.MONEY: pa.int64(),
    Kind.QUANTITY: pa.decimal128(18, 4),
}


_WORDS = {"not_nullable": "is missing", "field_uniqueness": "comes more than once"}
"""What the schema's own checks are called; the others bring their words along."""


@cache
def schema(domain: Domain, held: frozenset[str]) -> pra.DataFrameSchema:
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


def _laws(held: frozenset[str]) -> Iterator[pra.Check]:
    """Truths that hold across the fields of one record."""
    if {"net_minor", "tax_minor", "total_minor"} <= held:
        yield pra.Check(
            lambda frame: frame["net_minor"] + frame["tax_minor"] == frame["total_minor"],
            name="adds_up",
            error="net and tax must add up to the total",
        )
    if {"start_on", "end_on"} <= held:
        yield pra.Check(
            lambda frame: (frame["end_on"].isna() | (frame["end_on"] >= frame["start_on"])).fillna(True),
            name="ends_after_start",
            error="must not end before it starts",
        )


def failures(records: pa.Table, domain: Domain) -> Iterator[tuple[str | None, str]]:
    """The record id and, in words, the reason of everything about records that breaks the domain's schema."""
    frame = records.to_pandas(types_mapper=pd.ArrowDtype)
    for index, reason in _cases(frame, domain).itertuples(index=False):
        record_id = frame["record_id"].iloc[index]
        yield None if pd.isna(record_id) else record_id, reason


def _cases(frame: pd.DataFrame, domain: Domain) -> pd.DataFrame:
    try:
        schema(domain, frozenset(frame.columns)).validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as error:
        cases = error.failure_cases
        if broken := cases[cases["index"].isna()].to_dict("records"):
            raise FixConfiguration(f"the {domain.name} mapping yields {broken[0]['failure_case']}") from error
        names = [_reason(case["column"], case["check"], case["schema_context"]) for case in cases.to_dict("records")]
        return pd.DataFrame({"index": cases["index"].astype("int64"), "reason": names})
    return pd.DataFrame({"index": pd.Series(dtype="int64"), "reason": pd.Series(dtype="str")})


def _reason(column: str, check: str, context: str) -> str:
    if context == "DataFrameSchema":
        return check
    return f"{column} {_WORDS.get(check, check)}"
