"""The columns of canonical records and their types in the lake; what fits them is in `frame`."""

from __future__ import annotations

from sync_pipelines.domains.field import Field, Kind

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
