"""Corrections: a person's edits of what is to be sent, held for as long as the very same is planned."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

from sync_pipelines.engine.plan import Change, Write, identity
from sync_pipelines.engine.port import Shape
from sync_pipelines.errors import FixConfiguration

_WORDS: Mapping[type, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
_TYPES: Mapping[str, type] = {"VARCHAR": str, "BIGINT": int, "INTEGER": int, "BOOLEAN": bool, "DOUBLE": float}


@dataclass(frozen=True, slots=True)
class Correction:
    """Values for paths of a planned body ("address.line1", "lines.0.quantity"), made over the body with this hash."""

    link_id: str
    body_hash: str
    patch: Mapping[str, Any]
    made_by: str
    reason: str


def body_hash(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:40]


def corrected(
    writes: Sequence[Write], corrections: Sequence[Correction], *, held: Collection[str] = ()
) -> tuple[list[Write], list[Correction]]:
    """The writes with what people corrected in them, and the corrections that have ended.

    One ends when its link is to get another body, or none; while the plan holds the link back it waits.
    """
    open_ones = {each.link_id: each for each in corrections}
    planned = {write.link_id: body_hash(write.request.body) for write in writes if write.link_id in open_ones}
    fitting = {k: c for k, c in open_ones.items() if planned.get(k) == c.body_hash}
    ended = [c for k, c in open_ones.items() if k not in fitting and (k in planned or k not in held)]
    return [_corrected(w, fitting[w.link_id]) if w.link_id in fitting else w for w in writes], ended


def edits(body: Mapping[str, Any], shape: Shape, given: Sequence[str]) -> dict[str, Any]:
    """What a person typed ("path=value") as a patch; `FixConfiguration` for a path or value that can't be.

    >>> edits({"active": True, "address": {"city": "Bonn"}}, {}, ["active=false", "address.city=Köln"])
    {'active': False, 'address.city': 'Köln'}
    """
    patch: dict[str, Any] = {}
    for each in given:
        path, is_set, text = each.partition("=")
        if not is_set:
            raise FixConfiguration(f"{each!r} sets nothing: write PATH=VALUE")
        patch[path] = _value(text, _type(body, shape, path), path)
    return patch


def paths(body: Any, prefix: str = "") -> Iterator[str]:
    """Every path of a body that holds one value.

    >>> list(paths({"name": "A", "lines": [{"quantity": 1}]}))
    ['name', 'lines.0.quantity']
    """
    inner = body.items() if isinstance(body, Mapping) else enumerate(body) if isinstance(body, list | tuple) else None
    if inner is None:
        yield prefix
        return
    for key, value in inner:
        yield from paths(value, f"{prefix}.{key}" if prefix else str(key))


def _corrected(write: Write, correction: Correction) -> Write:
    body, changes = deepcopy(dict(write.request.body)), list(write.changes)
    for path, value in correction.patch.items():
        before = _put(body, path.split("."), value)
        changes = _told(changes, path, before, value)
    request = write.request
    meant = [write.target, request.object, request.operation, write.link_id, write.expected_version]
    key = identity([*meant, body, request.then])
    return replace(
        write,
        request=replace(request, body=body, write_id=key, idempotency_key=key),
        changes=tuple(changes),
        corrected_by=correction.made_by,
    )


def _told(changes: Sequence[Change], path: str, before: Any, value: Any) -> list[Change]:
    """The changes with the corrected value in place of the planned one, or beside them where no field has it."""
    planned, after = (None if each is None else _spelled(each) for each in (before, value))
    if planned is not None and sum(each.after == planned for each in changes) == 1:
        return [replace(each, after=after) if each.after == planned else each for each in changes]
    return [*changes, Change(path, planned, after)]


def _spelled(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _put(body: Any, keys: Sequence[str], value: Any) -> Any:
    """Set one value inside a body, and hand back what was there."""
    *outer, last = keys
    for key in outer:
        body = body[int(key)] if isinstance(body, list) else body.setdefault(key, {})
    if isinstance(body, list):
        before, body[int(last)] = body[int(last)], value
        return before
    before, body[last] = body.get(last), value
    return before


def _type(body: Mapping[str, Any], shape: Shape, path: str) -> type:
    """The type of the value at a path: of what is planned, or else what the object's declaration says."""
    known = set(paths(body))
    if path in known and _at(body, path) is not None:
        return type(_at(body, path))
    declared = _declared(shape, path)
    if declared in _TYPES and not any(each.startswith(f"{path}.") for each in known):
        return _TYPES[declared]
    raise FixConfiguration(f"what is to be sent has no {path!r}; it has {', '.join(sorted(known))}")


def _at(body: Any, path: str) -> Any:
    for key in path.split("."):
        body = body[int(key)] if isinstance(body, list | tuple) else body[key]
    return body


def _declared(shape: Any, path: str) -> str:
    for key in path.split("."):
        shape = shape.get(key) if isinstance(shape, Mapping) else None
    return shape if isinstance(shape, str) else ""


def _value(text: str, wanted: type, path: str) -> Any:
    try:
        if wanted is bool:
            return {"true": True, "false": False}[text.lower()]
        return text if wanted is str else wanted(text)
    except (KeyError, ValueError):
        raise FixConfiguration(f"{path!r} takes {_WORDS.get(wanted, wanted.__name__)}, not {text!r}") from None
