"""The methods that can be called on models, with their parameters as the server takes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from werkzeug.exceptions import Forbidden, NotImplemented, RequestEntityTooLarge, UnprocessableEntity  # noqa: A004

from sync_pipelines.sandbox.tryton import posting, sale
from sync_pipelines.sandbox.tryton.database import COMPANY, Database
from sync_pipelines.sandbox.tryton.fault import Crash
from sync_pipelines.sandbox.tryton.founding import GROUPS
from sync_pipelines.sandbox.tryton.look import LOOK, changed
from sync_pipelines.sandbox.tryton.reading import Reader
from sync_pipelines.sandbox.tryton.saving import Writer
from sync_pipelines.sandbox.tryton.schema import Model

Context = Mapping[str, Any]
READS = ("search", "search_count", "search_read", "read", "get_preferences", "changed")
_UNPLAYED = (
    "copy",
    "default_get",
    "fields_get",
    "fields_view_get",
    "export_data",
    "import_data",
    "history_revisions",
    "on_change",
    "on_change_with",
)
"""What every model of the real server has, and this one does not."""
_PREFERENCES = {
    "company_filter": "one",
    "employee": 1,
    "employee.rec_name": "Integration",
    "company": COMPANY,
    "company.rec_name": "Meridian Software Inc",
    "language": "en",
    "language_direction": "ltr",
    "groups": GROUPS,
    "locale": {"date": "%m/%d/%Y", "grouping": [3, 3, 0], "decimal_point": ".", "thousands_sep": ","},
}


@dataclass
class Limits:
    """`[request] records_limit` of the server's configuration; 0 means none."""

    records: int = 0

    def check(self, *counts: int | None) -> None:
        if self.records and sum(count or 0 for count in counts) > self.records:
            raise RequestEntityTooLarge


class Calls:
    """Carries out one call within its transaction."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.reader = Reader(database)
        self.limits = Limits()

    def verb(self, model: Model, name: str) -> Callable[..., Any]:
        """What a method does; `Forbidden` for one that is not offered."""
        if name in _BUTTONS.get(model.name, ()):
            return lambda calls, model, context, ids: calls.press(model, name, ids, context)
        if (verb := _VERBS_OF.get(model.name, _VERBS).get(name)) is not None:
            return verb
        raise NotImplemented if name in _UNPLAYED else Forbidden

    def search(self, model: Model, context: Context, *given: Any) -> list[int]:
        return [row["id"] for row in self._search(model, context, *given)]

    def search_count(self, model: Model, context: Context, *given: Any) -> int:
        domain, offset, limit = _padded(given, 1, 3)
        self.limits.check(limit)
        active_test = context.get("active_test", True)
        return self.reader.count(model, domain, offset or 0, limit, active_test=active_test)

    def search_read(self, model: Model, context: Context, *given: Any) -> list[dict[str, Any]]:
        domain, offset, limit, order, names = _padded(given, 1, 5)
        rows = self._search(model, context, domain, offset, limit, order)
        active_test = context.get("active_test", True)
        return self.reader.tell(model, rows, names if names is not None else ["id"], active_test=active_test)

    def read(self, model: Model, context: Context, *given: Any) -> list[dict[str, Any]]:
        ids, names = _padded(given, 2, 2)
        self.limits.check(len(ids))
        for record_id in ids:
            if not isinstance(record_id, int):
                raise Crash(f'invalid input syntax for type integer: "{record_id}"')
        return self.reader.read(model, ids, names, active_test=context.get("active_test", True))

    def create(self, model: Model, context: Context, *given: Any) -> list[int]:
        (vlist,) = _padded(given, 1, 1)
        self.limits.check(len(vlist))
        return self._writer(context).create(model, vlist)

    def write(self, model: Model, context: Context, *given: Any) -> None:
        if len(given) % 2:
            raise Crash("ModelSQL.write() missing 1 required positional argument: 'values'")
        pairs = [(_ids(ids), values) for ids, values in zip(given[::2], given[1::2], strict=True)]
        self.limits.check(*(len(ids) for ids, _ in pairs))
        self._writer(context).write(model, pairs)

    def delete(self, model: Model, context: Context, *given: Any) -> None:
        (ids,) = _padded(given, 1, 1)
        self.limits.check(len(ids))
        self._writer(context).delete(model, _ids(ids))

    def preferences(self, model: Model, context: Context, *given: Any) -> Mapping[str, Any]:
        return _PREFERENCES

    def changed(self, model: Model, context: Context, *given: Any) -> list[str]:
        (cursors,) = _padded(given, 1, 1)
        return changed(self.database, self.reader, cursors, active_test=context.get("active_test", True))

    def press(self, model: Model, button: str, ids: Sequence[int], context: Context) -> None:
        ids = _ids(ids)
        self.reader.read(model, ids, ["id"])
        match model.name:
            case "sale.sale":
                sale.press(self.database, button, ids, context.get("employee", 1))
            case "account.invoice":
                posting.press(self.database, button, ids, context.get("employee", 1))
            case _:
                state = {"close": "closed", "reopen": "open"}[button]
                for record_id in ids:
                    self.database.change(model.name, record_id, {"state": state})

    def _search(
        self, model: Model, context: Context, domain: Any, offset: Any = 0, limit: Any = None, order: Any = None
    ) -> list[Any]:
        self.limits.check(limit)
        active_test = context.get("active_test", True)
        return self.reader.search(model, domain, offset or 0, limit, order or None, active_test=active_test)

    def _writer(self, context: Context) -> Writer:
        locks = dict(context.get("_timestamp") or {})
        return Writer(self.database, company=context.get("company"), locks=locks)


_VERBS: Mapping[str, Callable[..., Any]] = {
    "search": Calls.search,
    "search_count": Calls.search_count,
    "search_read": Calls.search_read,
    "read": Calls.read,
    "create": Calls.create,
    "write": Calls.write,
    "delete": Calls.delete,
}
_VERBS_OF: Mapping[str, Mapping[str, Callable[..., Any]]] = {
    "res.user": {**_VERBS, "get_preferences": Calls.preferences},
    LOOK.name: {"changed": Calls.changed},
}
"""Models that offer something else than the others."""
_BUTTONS: Mapping[str, Sequence[str]] = {
    "sale.sale": tuple(sale.STATES),
    "account.invoice": tuple(posting.STATES),
    "account.period": ("close", "reopen"),
}


def _padded(given: Sequence[Any], least: int, most: int) -> list[Any]:
    if not least <= len(given) <= most:
        raise Crash(f"the method takes {least} to {most} arguments, {len(given)} were given")
    return [*given, *([None] * (most - len(given)))]


def _ids(ids: Any) -> list[int]:
    if not isinstance(ids, list):
        raise Crash(f"'{type(ids).__name__}' object is not iterable")
    if len(ids) != len(set(ids)):
        raise UnprocessableEntity("Duplicate records")
    return [int(record_id) for record_id in ids]
