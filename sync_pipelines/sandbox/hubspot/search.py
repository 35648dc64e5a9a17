"""Searches: filters on properties, one sorting, pages by offset, and an end at ten thousand results."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from sync_pipelines.sandbox.hubspot.refusal import Refusal, invalid
from sync_pipelines.sandbox.hubspot.schema import Behaviour, Object, Property
from sync_pipelines.sandbox.hubspot.value import instant
from sync_pipelines.sandbox.hubspot.wire import Answer, Api, Call, record

Test = Callable[[Mapping[str, Any]], bool]
_KNOWN = frozenset({"filterGroups", "sorts", "query", "properties", "limit", "after"})


def search(api: Api, call: Call) -> Answer:
    thing, body = api.object(call), call.json()
    if unknown := sorted(body.keys() - _KNOWN):
        raise invalid(f'Unrecognized field "{unknown[0]}"')
    limit, after = _page(body, api.behaviour)
    test = _test(thing, body, api.behaviour)
    name, backwards = _sorting(thing, body.get("sorts") or [])
    key = _key(thing.properties[name])
    rows = api.crm.index.rows(thing, name, lambda row: (*key(row["properties"].get(name)), row["id"][::-1]))
    found = [row for row in (reversed(rows) if backwards else rows) if test(row["properties"])]
    page = [record(thing, row, body.get("properties") or []) for row in found[after : after + limit]]
    told: dict[str, Any] = {"total": len(found), "results": page}
    if after + limit < len(found):
        told["paging"] = {"next": {"after": str(after + limit)}}
    return Answer(told)


def _page(body: Mapping[str, Any], behaviour: Behaviour) -> tuple[int, int]:
    limit, after = body.get("limit", 10), str(body.get("after") or "0")
    if not isinstance(limit, int) or not 0 < limit <= behaviour.search_max:
        raise invalid(f"limit has to be a number from 1 to {behaviour.search_max}")
    if not after.isdecimal():
        raise invalid(f"after has to be a number: {after}")
    if int(after) + limit > behaviour.search_results_max:
        raise invalid(f"The total number of results that can be paged through is {behaviour.search_results_max}")
    return limit, int(after)


def _sorting(thing: Object, sorts: Sequence[Any]) -> tuple[str, bool]:
    if len(sorts) > 1:
        raise invalid("Only one sort is supported")
    if not sorts:
        return "hs_object_id", False
    sort = sorts[0] if isinstance(sorts[0], Mapping) else {"propertyName": str(sorts[0])}
    name = str(sort.get("propertyName", ""))
    if name not in thing.properties:
        raise _no_property(name)
    return name, sort.get("direction", "ASCENDING") == "DESCENDING"


def _key(property: Property) -> Callable[[str | None], tuple[Any, ...]]:
    """Values in the order of their type; a record without one comes first."""
    return lambda value: (value is not None, 0 if value is None else _comparable(property, value))


def _comparable(property: Property, value: str) -> Any:
    try:
        if property.type == "number":
            return Decimal(value)
        if property.type in ("date", "datetime"):
            return instant(value)
    except (InvalidOperation, ValueError):
        raise invalid(f"{value} is no {property.type}: {property.name}") from None
    return value.lower()


def _test(thing: Object, body: Mapping[str, Any], behaviour: Behaviour) -> Test:
    """Groups are alternatives; the filters of a group all have to hold."""
    groups = [group.get("filters") or [] for group in body.get("filterGroups") or []]
    if len(groups) > behaviour.search_groups_max:
        raise invalid(f"A maximum of {behaviour.search_groups_max} filter groups is supported")
    if any(len(group) > behaviour.search_group_filters_max for group in groups):
        raise invalid(f"A maximum of {behaviour.search_group_filters_max} filters a group is supported")
    if sum(len(group) for group in groups) > behaviour.search_filters_max:
        raise invalid(f"A maximum of {behaviour.search_filters_max} filters is supported")
    tests = [[_filter(thing, each) for each in group] for group in groups]
    words = _words(str(body.get("query") or ""))

    def test(values: Mapping[str, Any]) -> bool:
        if words and not all(any(word in _words(str(values.get(name))) for name in thing.shown) for word in words):
            return False
        return not tests or any(all(holds(values) for holds in group) for group in tests)

    return test


def _filter(thing: Object, given: Mapping[str, Any]) -> Test:
    name, operator = str(given.get("propertyName", "")), str(given.get("operator", ""))
    declared = thing.properties.get(name)
    if declared is None:
        raise _no_property(name)
    if operator in ("HAS_PROPERTY", "NOT_HAS_PROPERTY"):
        return lambda values: (values.get(name) is not None) is (operator == "HAS_PROPERTY")
    if operator in ("IN", "NOT_IN"):
        listed = {_comparable(declared, str(value)) for value in given.get("values") or ()}
        return lambda values: (_held(declared, values) in listed) is (operator == "IN")
    if "value" not in given:
        raise invalid(f"The operator {operator} needs a value")
    if operator.endswith("CONTAINS_TOKEN"):
        token = re.compile(re.escape(str(given["value"]).lower()).replace(r"\*", ".*"))
        wanted = operator == "CONTAINS_TOKEN"
        return lambda values: any(token.fullmatch(w) for w in _words(str(values.get(name) or ""))) is wanted
    return _comparison(declared, operator, given)


def _comparison(property: Property, operator: str, given: Mapping[str, Any]) -> Test:
    low = _comparable(property, str(given["value"]))
    if operator == "BETWEEN":
        high = _comparable(property, str(given.get("highValue", "")))
        return lambda values: (held := _held(property, values)) is not None and bool(low <= held <= high)
    if operator == "NEQ":
        return lambda values: bool(_held(property, values) != low)
    compare: Callable[[Any], bool] | None = {
        "EQ": lambda held: held == low,
        "LT": lambda held: held < low,
        "LTE": lambda held: held <= low,
        "GT": lambda held: held > low,
        "GTE": lambda held: held >= low,
    }.get(operator)
    if compare is None:
        raise invalid(f"{operator} is not an operator")
    return lambda values: (held := _held(property, values)) is not None and compare(held)


def _held(property: Property, values: Mapping[str, Any]) -> Any:
    value = values.get(property.name)
    return None if value is None else _comparable(property, value)


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _no_property(name: str) -> Refusal:
    return invalid(f"There was a problem with the request: property {name} does not exist")
