"""Domains: nested lists of clauses, turned into a test of one record, with the nulls of SQL."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any

from sync_pipelines.sandbox.store import Document
from sync_pipelines.sandbox.tryton import derived
from sync_pipelines.sandbox.tryton.database import Database
from sync_pipelines.sandbox.tryton.fault import Crash
from sync_pipelines.sandbox.tryton.schema import Field, Model
from sync_pipelines.sandbox.tryton.value import comparable, decoded

Test = Callable[[Document], bool]

_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_OPERATORS = ("=", "!=", "in", "not in", "like", "not like", "ilike", "not ilike", *_COMPARED)
_UNPLAYED = ("child_of", "not child_of", "parent_of", "not parent_of", "where", "not where")
_TOO_DEEP = "maximum recursion depth exceeded"
"""What the server makes of a clause that it can't read."""


def compiled(database: Database, model: Model, domain: Sequence[Any], *, active_test: bool) -> Test | None:
    """A test of records; None when all pass. Archived ones fail, unless the domain speaks of `active`."""
    reduced = _reduced(list(domain))
    if active_test and model.archives:
        reduced = _only_active(reduced)
    return _joined(database, model, reduced) if len(reduced) > 1 else None


def candidates(domain: Sequence[Any]) -> Sequence[int] | None:
    """The ids that a domain asks for by name, where it does so at its top."""
    for clause in domain:
        if _is_clause(clause) and clause[0] == "id" and clause[1] == "in":
            return [int(value) for value in clause[2]]
        if _is_clause(clause) and clause[0] == "id" and clause[1] == "=" and clause[2] is not None:
            return [int(clause[2])]
    return None


def _is_clause(node: Any) -> bool:
    return (
        isinstance(node, list)
        and len(node) > 2
        and isinstance(node[1], str)
        and (node[1] in _OPERATORS or node[1] in _UNPLAYED)
    )


def _reduced(domain: list[Any]) -> list[Any]:
    """The same domain with nested lists of one operator made flat; the operator comes first."""
    if not domain:
        return ["AND"]
    if _is_clause(domain):
        return ["AND", domain]
    head = domain[0] if isinstance(domain[0], str) else "AND"
    if head not in ("AND", "OR"):
        raise Crash(_TOO_DEEP)
    found: list[Any] = [head]
    for node in domain[1:] if isinstance(domain[0], str) else domain:
        if _is_clause(node) or node == []:
            found.extend([node] if node else [])
        elif not isinstance(node, list):
            raise Crash(_TOO_DEEP)
        else:
            inner = _reduced(node)
            found.extend(inner[1:] if inner[0] == head else [inner])
    return found


def _only_active(domain: list[Any]) -> list[Any]:
    """Every list of clauses that does not speak of `active` itself gets the clause that asks for it."""
    nodes = [node if _is_clause(node) else _only_active(node) for node in domain[1:]]
    domain = [domain[0], *nodes]
    if any(_is_clause(node) and node[0] == "active" for node in nodes):
        return domain
    active = ["active", "=", True]
    return [*domain, active] if domain[0] == "AND" else ["AND", domain, active]


def _joined(database: Database, model: Model, domain: list[Any]) -> Test:
    tests = [
        _clause(database, model, node) if _is_clause(node) else _joined(database, model, node) for node in domain[1:]
    ]
    if not tests:
        return lambda row: True
    if len(tests) == 1:
        return tests[0]
    if domain[0] == "OR":
        return lambda row: any(test(row) for test in tests)
    return lambda row: all(test(row) for test in tests)


def _clause(database: Database, model: Model, clause: list[Any]) -> Test:
    path, word, value = clause[0], clause[1], decoded(clause[2])
    if word in _UNPLAYED:
        raise Crash(f"the stand-in does not play {word!r}")
    name, _, rest = str(path).partition(".")
    field = database.field(model, name)
    if "hidden" in field.flags:
        raise Crash(f'Missing search function for field "{field.label}" in "{model.label}".')
    if rest:
        return _beyond(database, model, field, [rest, word, clause[2]])
    if field.name == "rec_name" or (field.kind == "many2one" and _is_name(word, value)):
        return _by_name(database, model, field, word, value)
    read = _reader(database, model, field)
    test = _test(field, word, value)
    if field.many:
        return lambda row: any(map(test, read(row) or [None]))
    return lambda row: test(read(row))


def _is_name(word: str, value: Any) -> bool:
    return word.endswith("like") or isinstance(value, str)


def _beyond(database: Database, model: Model, field: Field, clause: list[Any]) -> Test:
    """A clause about what a reference points to."""
    if not field.target:
        raise Crash(f"'{field.kind.title()}' object has no attribute 'get_target'")
    target = database.model(field.target)
    test = _clause(database, target, clause)
    read = _reader(database, model, field)

    def passes(row: Document) -> bool:
        found = read(row)
        ids = found if field.many else [found]
        rows = (database.find(target.name, record_id) for record_id in ids)
        return any(below is not None and test(below) for below in rows)

    return passes


def _by_name(database: Database, model: Model, field: Field, word: str, value: Any) -> Test:
    """A reference compared with a text is compared by the name of what it points to."""
    test = _test(field if field.kind == "char" else database.model("party.party").fields["name"], word, value)
    if field.name == "rec_name":
        return lambda row: test(derived.rec_name(database, model.name, row))
    read = _reader(database, model, field)

    def passes(row: Document) -> bool:
        below = database.find(field.target, read(row))
        return below is not None and test(derived.rec_name(database, field.target, below))

    return passes


def _reader(database: Database, model: Model, field: Field) -> Callable[[Document], Any]:
    """The value of a field as clauses compare it."""
    name = field.name
    if field.kind == "one2many":
        return lambda row: [below["id"] for below in database.referring(field.target, field.inverse, row["id"])]
    if name == "last_modified_at":
        return lambda row: row["write_date"] or row["create_date"]
    if field.derived:
        found: Callable[[Document], Any] = lambda row: derived.value(database, model.name, row, name)  # noqa: E731
    else:
        found = operator.itemgetter(name)
    if field.kind != "numeric":
        return found
    return lambda row: None if (text := found(row)) is None else Decimal(text)


def _test(field: Field, word: str, value: Any) -> Callable[[Any], bool]:
    empty: Any = "" if field.kind in ("char", "text") and not field.required else None
    if word in ("in", "not in"):
        return _membership(field, word, value, empty)
    if word.endswith("like"):
        pattern = _pattern(str(value), word.endswith("ilike"))
        wanted = not word.startswith("not")
        return lambda held: (held is not None or empty == "") and bool(pattern.fullmatch(held or "")) is wanted
    given = comparable(field, value)
    if word in _COMPARED:
        return _comparison(word, given)
    return _equality(field, word, given, empty)


def _comparison(word: str, given: Any) -> Callable[[Any], bool]:
    if given is None:
        return lambda held: False
    compare = _COMPARED[word]
    return lambda held: held is not None and compare(held, given)


def _equality(field: Field, word: str, given: Any, empty: Any) -> Callable[[Any], bool]:
    if given is None:
        given = empty
    equal = word == "="
    if field.kind == "boolean" and not given:
        return lambda held: bool(held) is not equal
    if given is None or empty == "":
        return lambda held: ((empty if held is None else held) == given) is equal
    return lambda held: held is not None and (held == given) is equal


def _membership(field: Field, word: str, value: Any, empty: Any) -> Callable[[Any], bool]:
    """Null is in a list only where the list names it, and then also not outside of it."""
    if not isinstance(value, list | tuple):
        raise Crash(f"'{type(value).__name__}' object is not iterable")
    given = {comparable(field, item) for item in value}
    among = {empty if item is None else item for item in given}
    if word == "in" or not value:
        return lambda held: ((empty if held is None else held) in among) is (word == "in")
    if empty == "":
        return lambda held: ("" if held is None else held) not in among
    return lambda held: held is not None and held not in among


@lru_cache(maxsize=256)
def _pattern(text: str, fold: bool) -> re.Pattern[str]:
    """SQL's LIKE: % for any text, _ for any letter, a backslash before one that is meant."""
    pieces, escaped = [], False
    for letter in text:
        if escaped or letter not in "%_\\":
            pieces.append(re.escape(letter))
            escaped = False
        elif letter == "\\":
            escaped = True
        else:
            pieces.append(".*" if letter == "%" else ".")
    return re.compile("".join(pieces), re.DOTALL | (re.IGNORECASE if fold else 0))
