"""The lists of calls to action and of success plans: pages by number, in no order, with times as ISO 8601."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync_pipelines.sandbox.gainsight.data import check_keys
from sync_pipelines.sandbox.gainsight.query import test_of
from sync_pipelines.sandbox.gainsight.refusal import Refusal, invalid
from sync_pipelines.sandbox.gainsight.tenant import Field, Object, Tenant
from sync_pipelines.sandbox.gainsight.value import gsid_of, instant, iso
from sync_pipelines.sandbox.store import Document

_LIST = {"select", "where", "pageSize", "pageNumber", "linkedObject"}


def listing(tenant: Tenant, thing: Object, body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A page; a field without a value is left out, and others come under their own names."""
    check_keys(body, _LIST)
    asked = [str(name) for name in body.get("select") or []]
    fields = [thing.field(name) for name in asked]
    if unknown := [name for name, field in zip(asked, fields, strict=True) if field is None]:
        raise Refusal("COCKPIT_5101", f"Invalid fields in select clause - {', '.join(unknown)}")
    size, number = body.get("pageSize", 20), body.get("pageNumber", 1)
    most = tenant.settings.list_max
    if not isinstance(size, int) or not isinstance(number, int) or not 0 < size <= most or number < 1:
        raise invalid(f"pageSize has to be a number up to {most}, and pageNumber one from 1")
    test = test_of(thing, body.get("where"), named_by="fieldName", read=_read)
    rows = [row for row in tenant.seen(thing) if test(row)]
    named = [thing.fields["Gsid"], *(field for field in fields if field)]
    return [_shown(row, named) for row in rows[(number - 1) * size : number * size]]


def _read(field: Field, value: Any) -> Any:
    if field.type in ("DATE", "DATETIME"):
        return instant(str(value) if "T" in str(value) else f"{value}T00:00:00Z")
    return gsid_of(str(value)) if field.type in ("GSID", "LOOKUP") else value


def _shown(row: Document, fields: list[Field]) -> dict[str, Any]:
    told = {field.name: iso(field, row.get(field.name)) for field in fields}
    return {name: value for name, value in told.items() if value is not None}
