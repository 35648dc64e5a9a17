"""Search: Stripe's query language over an index that may lag behind the objects.

Source: docs.stripe.com/search. Products and prices have no searchable time; `total_count` is only
accurate up to 10,000.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sync_pipelines.sandbox.store import Document
from sync_pipelines.sandbox.stripe.account import Account
from sync_pipelines.sandbox.stripe.invoice import subscription_of
from sync_pipelines.sandbox.stripe.parameter import Kind, Text, Whole
from sync_pipelines.sandbox.stripe.refusal import Refusal
from sync_pipelines.sandbox.stripe.route import Call, Route
from sync_pipelines.sandbox.stripe.view import shown

COUNTED = 10_000
MOST_CLAUSES = 10
SHORTEST_PART = 3
Test = Callable[[Document], bool]

_TOKEN, _TEXT, _NUMBER = "token", "string", "numeric"
_FIELDS: Mapping[str, Mapping[str, str]] = {
    "customer": {"created": _NUMBER, "email": _TEXT, "name": _TEXT, "phone": _TEXT},
    "product": {"active": _TOKEN, "description": _TEXT, "name": _TEXT, "shippable": _TOKEN, "url": _TEXT},
    "price": {
        "active": _TOKEN,
        "currency": _TOKEN,
        "lookup_key": _TEXT,
        "product": _TOKEN,
        "type": _TOKEN,
    },
    "subscription": {"canceled_at": _NUMBER, "created": _NUMBER, "status": _TEXT},
    "invoice": {
        "created": _NUMBER,
        "currency": _TOKEN,
        "customer": _TOKEN,
        "number": _TEXT,
        "receipt_number": _TEXT,
        "status": _TEXT,
        "subscription": _TOKEN,
        "total": _NUMBER,
    },
}
_CLAUSE = re.compile(
    r"""\s*(?:(?P<joint>AND|OR)\b\s*)?
        (?P<negated>-)?
        (?P<field>[a-z_]+)(?:\[(?P<quote>["'])(?P<key>.+?)(?P=quote)\])?
        \s*(?P<operator>:|~|>=|<=|>|<)\s*
        (?:"(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>(?:[^'\\]|\\.)*)'|(?P<bare>[^\s"']+))""",
    re.VERBOSE | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Clause:
    field: str
    key: str | None
    operator: str
    value: str | None
    """None: the word null, without quotes."""
    negated: bool


def parse(query: str, kind: str) -> Test:
    """The test that a query stands for.

    >>> parse('metadata["crm"]:"A" AND created>5', "customer")({"metadata": {"crm": "A"}, "created": 6})
    True
    """
    clauses, joints = _clauses(query)
    if len(joints) > 1:
        raise _unreadable("AND and OR can't be combined in one query")
    if len(clauses) > MOST_CLAUSES:
        raise _unreadable(f"at most {MOST_CLAUSES} clauses are allowed")
    tests = [_test(clause, kind) for clause in clauses]
    if joints == {"OR"}:
        return lambda document: any(test(document) for test in tests)
    return lambda document: all(test(document) for test in tests)


def _clauses(query: str) -> tuple[list[_Clause], set[str]]:
    clauses: list[_Clause] = []
    joints: set[str] = set()
    place = 0
    while query[place:].strip():
        match = _CLAUSE.match(query, place)
        if match is None or bool(match["joint"]) > bool(clauses):
            raise _unreadable(f"near {query[place:].strip()[:40]!r}")
        if clauses:
            joints.add((match["joint"] or "AND").upper())
        clauses.append(_clause(match))
        place = match.end()
    if not clauses:
        raise _unreadable("it is empty")
    return clauses, joints


def _clause(match: re.Match[str]) -> _Clause:
    quoted = match["double"] if match["double"] is not None else match["single"]
    value = match["bare"] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
    null = quoted is None and value.lower() == "null"
    operator, negated = match["operator"], match["negated"] is not None
    return _Clause(match["field"].lower(), match["key"], operator, None if null else value, negated)


def _test(clause: _Clause, kind: str) -> Test:
    known = _FIELDS[kind]
    if clause.field == "metadata":
        found = _metadata_test(clause)
    elif clause.key is not None or clause.field not in known:
        raise Refusal(
            f"Field `{clause.field}` is an unsupported search field for resource `{kind}s`. See "
            "http://stripe.com/docs/search#query-fields-for-" + f"{kind}s for a list of supported fields.",
            param="query",
        )
    else:
        found = _field_test(clause, known[clause.field])
    return (lambda document: not found(document)) if clause.negated else found


def _metadata_test(clause: _Clause) -> Test:
    key, wanted = clause.key, clause.value
    if key is None or clause.operator not in (":", "~"):
        raise _unreadable('metadata is searched as metadata["key"]:"value"')
    if wanted is None:
        return lambda document: key not in document["metadata"]
    if clause.operator == "~":
        return lambda document: wanted.lower() in document["metadata"].get(key, "").lower()
    return lambda document: document["metadata"].get(key, "").lower() == wanted.lower()


def _field_test(clause: _Clause, type: str) -> Test:
    read, wanted, operator = _reader(clause.field), clause.value, clause.operator
    if wanted is None:
        return lambda document: read(document) is None
    if type == _NUMBER:
        return _number_test(read, operator, wanted)
    if operator == ":":
        return lambda document: _plain(read(document)) == wanted.lower()
    if operator == "~" and type == _TEXT:
        if len(wanted) < SHORTEST_PART:
            raise _unreadable(f"a part to search for has at least {SHORTEST_PART} characters")
        return lambda document: wanted.lower() in _plain(read(document))
    raise _unreadable(f"field `{clause.field}` doesn't support the operator {operator}")


def _number_test(read: Callable[[Document], Any], operator: str, wanted: str) -> Test:
    if not re.fullmatch(r"-?\d+", wanted) or operator == "~":
        raise _unreadable(f"{operator}{wanted} is no comparison with a number")
    bound = int(wanted)
    compare: dict[str, Callable[[int], bool]] = {
        ":": lambda value: value == bound,
        ">": lambda value: value > bound,
        ">=": lambda value: value >= bound,
        "<": lambda value: value < bound,
        "<=": lambda value: value <= bound,
    }
    holds = compare[operator]
    return lambda document: (value := read(document)) is not None and holds(value)


def _reader(field: str) -> Callable[[Document], Any]:
    if field == "subscription":
        return subscription_of
    return lambda document: document[field]


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value).lower()


def _unreadable(why: str) -> Refusal:
    return Refusal(
        f"We were unable to parse your search query: {why}. See https://stripe.com/docs/search for the syntax.",
        param="query",
    )


def _search(kind: str, url: str) -> Callable[[Call], dict[str, Any]]:
    def run(call: Call) -> dict[str, Any]:
        account, given = call.account, call.given
        limit, seen = given.get("limit", 10), account.searchable(kind)
        matching = _matching(account, kind, parse(given["query"], kind), seen=seen)
        counting = "total_count" in given.get("expand", ())
        start = _place(given["page"]) if "page" in given else 0
        wanted = COUNTED if counting else start + limit + 1
        found = [each for each, _ in zip(matching, range(max(wanted, start + limit + 1)), strict=False)]
        has_more = len(found) > start + limit
        answer: dict[str, Any] = {
            "object": "search_result",
            "data": [shown(account, each) for each in found[start : start + limit]],
            "has_more": has_more,
            "next_page": _token(start + limit) if has_more else None,
            "url": url,
        }
        return {**answer, "total_count": min(len(found), COUNTED)} if counting else answer

    return run


def _matching(account: Account, kind: str, test: Test, *, seen: Mapping[str, Document | None]) -> Iterator[Document]:
    """What the index finds, newest first: objects as it last saw them, gone ones among them."""
    table = account.store.table(kind)
    gone = [before for id_, before in seen.items() if id_ not in table.rows and before is not None]
    yield from (document for document in gone if test(document))
    keys: Sequence[Any] = account.shelves.of(kind).keys()
    for place in range(len(keys) - 1, -1, -1):
        found = keys[place][2]
        document = seen[found] if found in seen else table.rows[found]
        if document is not None and test(document):
            yield document


def _token(place: int) -> str:
    return base64.urlsafe_b64encode(f"page:{place}".encode()).decode().rstrip("=")


def _place(token: str) -> int:
    try:
        word, _, place = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode().partition(":")
        if word == "page":
            return int(place)
    except (binascii.Error, UnicodeDecodeError, ValueError):
        pass
    raise Refusal(f"Invalid page: {token}", param="page")


def _route(kind: str) -> Route:
    url = f"/v1/{kind}s/search"
    fields: dict[str, Kind] = {"limit": Whole(1, 100), "page": Text(), "query": Text()}
    return Route("GET", url, _search(kind, url), fields, ("query",))


ROUTES = tuple(_route(kind) for kind in _FIELDS)
